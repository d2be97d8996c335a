"""Compile kernels.cu to PTX: python ptx.py [FOLDER OF THE WHEELS].

NVRTC, NVIDIA's compiler in a library, does it. It needs neither a GPU nor a driver nor the CUDA toolkit: its wheel is
enough, and make ptx gets it. The header of the result names its sources and how it was made, which a test checks.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from pathlib import Path

# compute_70 is compiled by the driver for every GPU since Volta. Each operation is rounded by itself.
OPTIONS = ["--gpu-architecture=compute_70", "--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false"]
HERE = Path(__file__).resolve().parent
SOURCES = ["kernels.cu", "params.h"]


def load(folder: str | None) -> ctypes.CDLL:
    """NVRTC from a folder of unpacked wheels, or from the Python environment."""
    places = [Path(folder)] if folder else [Path(p) for p in sys.path]
    for place in places:
        for library in sorted(place.glob("nvidia/cuda_nvrtc/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(library))
    raise SystemExit("ptx: NVRTC is missing: make ptx gets it, or install nvidia-cuda-nvrtc-cu12==12.6.85")


def compile_ptx(nvrtc: ctypes.CDLL, sources: dict[str, bytes]) -> bytes:
    """The PTX of the first source, which may include the others."""

    def check(code: int, what: str) -> None:
        if code != 0:
            raise SystemExit(f"ptx: {what} failed with {code}")

    program = ctypes.c_void_p()
    first, *others = sources
    names = (ctypes.c_char_p * len(others))(*[n.encode() for n in others])
    texts = (ctypes.c_char_p * len(others))(*[sources[n] for n in others])
    check(
        nvrtc.nvrtcCreateProgram(ctypes.byref(program), sources[first], first.encode(), len(others), texts, names),
        "nvrtcCreateProgram",
    )
    options = (ctypes.c_char_p * len(OPTIONS))(*[o.encode() for o in OPTIONS])
    failed = nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options)
    size = ctypes.c_size_t()
    check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)), "nvrtcGetProgramLogSize")
    log = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetProgramLog(program, log), "nvrtcGetProgramLog")
    if failed or log.value.strip():
        sys.stderr.write(log.value.decode())
    check(failed, "the compilation")
    check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)), "nvrtcGetPTXSize")
    ptx = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetPTX(program, ptx), "nvrtcGetPTX")
    return ptx.value


def main() -> None:
    """Write kernels.ptx."""
    nvrtc = load(sys.argv[1] if len(sys.argv) > 1 else None)
    sources = {name: (HERE / name).read_bytes() for name in SOURCES}
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    header = "// Made by make ptx from the sources below; do not edit.\n"
    for name, text in sources.items():
        header += f"// source: {name} sha256:{hashlib.sha256(text).hexdigest()}\n"
    header += f"// options: {' '.join(OPTIONS)}\n// compiler: NVRTC {major.value}.{minor.value}\n"
    (HERE / "kernels.ptx").write_bytes(header.encode() + compile_ptx(nvrtc, sources))


if __name__ == "__main__":
    main()
