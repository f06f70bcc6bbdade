"""Stable names of component classes in job keys, stage keys and records.

A key must not change when a class moves or is renamed. The stable name is the import path of the first release; a class
that has moved since keeps it through an entry in `MOVED`.
"""

MOVED: dict[str, str] = {}  # present import path -> stable name, for classes that have moved since their release


def stable_name(path: str) -> str:
    """Return the stable name of the class at an import path; for a plug-in's class, the path itself."""
    return MOVED.get(path, path)


def present_path(name: str) -> str:
    """Return the present import path of the class with a stable name."""
    return next((path for path, stable in MOVED.items() if stable == name), name)


def name_of(component: type) -> str:
    """Return the stable name of a class."""
    return stable_name(f"{component.__module__}.{component.__qualname__}")
