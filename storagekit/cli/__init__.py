"""The command line: one file per verb. It talks to ``StorageClient`` only and decides nothing about transfers."""
