"""The desk's page: what a player sees in a browser while setting up."""
