"""The ledger: one row a frame, one row a note, so that any late note can be explained afterwards."""
