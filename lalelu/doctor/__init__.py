"""The machine as a real-time instrument: facts are collected, findings made of them, nothing is changed."""
