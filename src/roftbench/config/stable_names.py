"""Stable names of component classes: what stands for a class in job keys, stage keys and records.

A key must not change when a class moves or is renamed. A class is named by the import path under which it was first
released. A class that has moved since keeps that name through an entry in `MOVED`.
"""

MOVED: dict[str, str] = {}  # present import path -> stable name, for classes that have moved since their release


def stable_name(path: str) -> str:
    """Return the stable name of the class at an import path: of a plug-in's class, the path itself."""
    return MOVED.get(path, path)


def present_path(name: str) -> str:
    """Return the import path at which the class with a stable name lies today."""
    return next((path for path, stable in MOVED.items() if stable == name), name)


def name_of(component: type) -> str:
    """Return the stable name of a class."""
    return stable_name(f"{component.__module__}.{component.__qualname__}")
