"""drybill: read, project, compare, show; write only what was shown, only when asked."""

__version__ = "0.1.0"
