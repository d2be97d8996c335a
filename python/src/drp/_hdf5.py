"""Write an array of an HDF5 file as NPY, for drp: `python -m drp._hdf5 FILE DATASET OUT.npy`."""

from __future__ import annotations

import sys

import numpy as np


def main(argv: list[str]) -> int:
    """Do it; gives the exit status, and says in one line on stderr what was wrong."""
    if len(argv) != 3:
        print("usage: python -m drp._hdf5 FILE DATASET OUT.npy", file=sys.stderr)
        return 2
    file, dataset, out = argv
    try:
        import h5py  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        print(f"{file}: reading HDF5 needs h5py: {sys.executable} -m pip install h5py", file=sys.stderr)
        return 3
    try:
        with h5py.File(file, "r") as f:
            found = f.get(dataset)
            if not isinstance(found, h5py.Dataset):
                names: list[str] = []
                f.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
                shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
                print(f"{file}: there is no array {dataset!r}; it has {shown or 'none'}", file=sys.stderr)
                return 3
            if found.dtype.kind not in "iufb":
                print(f"{file}:{dataset}: its elements are {found.dtype}, and numbers are wanted", file=sys.stderr)
                return 3
            np.save(out, np.ascontiguousarray(found[()]), allow_pickle=False)
    except (OSError, ValueError, KeyError, MemoryError) as error:
        print(f"{file}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
