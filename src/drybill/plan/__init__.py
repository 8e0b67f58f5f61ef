"""The plan: what was shown, frozen and content-addressed; its guards, its digest, its file.

Pure: no I/O and no clock.
"""
