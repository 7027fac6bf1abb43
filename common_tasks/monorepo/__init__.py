"""The projects of a monorepo, with their settings and what lies in them; a single project is a monorepo of one."""
