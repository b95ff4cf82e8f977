"""Copies the top-level YAML folders into the wheel; all metadata stands in setup.cfg."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithShippedFiles(build_py):
    """`cfg/**/*.yaml` and `data/*.yaml` become `yolor_gp/_shipped/...` (config/shipped.py)."""

    def run(self) -> None:
        """Build, then copy; an editable install reads the checkout and copies nothing."""
        super().run()
        if self.editable_mode:
            return
        root = Path(__file__).resolve().parent
        for source in [*root.glob("cfg/*/*.yaml"), *root.glob("data/*.yaml")]:
            target = Path(self.build_lib) / "yolor_gp" / "_shipped" / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            copyfile(source, target)


setup(cmdclass={"build_py": BuildWithShippedFiles})
