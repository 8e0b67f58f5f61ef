"""Apply: the only place with effects on a PSA. It executes a plan and never recomputes one."""
