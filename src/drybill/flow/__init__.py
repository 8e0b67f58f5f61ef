"""The flow: fetch -> match -> rules -> project -> compare -> guard -> plan. It only ever reads.

What a PSA or vendor says, and what the journal remembers, comes in; a plan goes out.
"""
