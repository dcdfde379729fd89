"""Print the lowest versions that pyproject.toml allows, as constraints for pip.

``>=2.11`` becomes ``==2.11``, so that what CI runs are the floors that are promised. Names of
extras may follow: their requirements are included.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
FLOOR = re.compile(r"^([A-Za-z0-9._-]+)>=([0-9][0-9a-z.]*)$")


def lowest(extras: list[str]) -> list[str]:
    """Return one constraint for each requirement that has a floor.

    Raises ValueError for a requirement of the package itself that has none.
    """
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    for requirement in project["dependencies"]:
        if not FLOOR.match(requirement):
            raise ValueError(f"{requirement}: write it as NAME>=VERSION, the lowest that works")
    optional = [each for extra in extras for each in project["optional-dependencies"][extra]]
    floors = map(FLOOR.match, [*project["dependencies"], *optional])
    return [f"{floor[1]}=={floor[2]}" for floor in floors if floor]


if __name__ == "__main__":
    sys.stdout.write("\n".join(lowest(sys.argv[1:])) + "\n")
