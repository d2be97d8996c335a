#!/bin/sh
# Make DIR/libcuda.so, to link drp-cuda with where there is no NVIDIA driver: a library that has all that drp-cuda calls,
# and whose every call says that there is no GPU. On a machine with a driver its libcuda.so.1 is loaded instead.
# usage: link.sh DIR; CGO_CFLAGS finds cuda.h.
set -eu
dir=$1
cc=$(go env CC)
mkdir -p "$dir"
library() {
	$cc -shared -fPIC -x c -o "$dir/libcuda.so.1" -Wl,-soname,libcuda.so.1 - && ln -sf libcuda.so.1 "$dir/libcuda.so"
}
echo 'typedef int nothing;' | library
export CGO_LDFLAGS="-L$dir"
# What an empty library lacks, the linker tells.
go build -tags cuda -o "$dir/unlinked" ./cmd/drp 2>&1 |
	sed -n "s/.*undefined reference to .\(cu[A-Z][A-Za-z0-9_]*\).*/\1/p" | sort -u >"$dir/symbols"
rm -f "$dir/unlinked"
[ -s "$dir/symbols" ] || { echo 'drp-cuda calls nothing of libcuda: is the tag cuda set?'; exit 1; }
sed 's/.*/int &(void) { return 100; } \/* CUDA_ERROR_NO_DEVICE *\//' "$dir/symbols" | library
