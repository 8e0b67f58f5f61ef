"""The billing core: agreements, usage, quantity rules, projection, difference.

Pure: no I/O, no clock, nothing imported from the packages above it. Every function is a
calculation that a bookkeeper could check by hand.
"""
