"""See how a large language model works, computed live by a real one in readable NumPy."""

__version__ = "0.1.0"
