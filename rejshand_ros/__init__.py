"""Drive a dexterous robot hand with a bare hand seen by one camera."""

__version__ = "0.1.0"
