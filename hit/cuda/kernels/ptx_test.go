package kernels_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"drp/hit/cuda"
	"drp/hit/cuda/kernels"
)

// The PTX is that of the source, compiled as it must be, with all kernels, and without any operation that is not rounded by
// itself.
func TestPTXIsThatOfTheSource(t *testing.T) {
	data, err := os.ReadFile("kernels.ptx")
	if err != nil {
		t.Fatal(err)
	}
	ptx := string(data)
	for name, text := range map[string][]byte{"kernels.cu": kernels.Source, "params.h": kernels.Header} {
		if line := fmt.Sprintf("// source: %s sha256:%x\n", name, sha256.Sum256(text)); !strings.Contains(ptx, line) {
			t.Errorf("kernels.ptx was made of another %s: run make ptx", name)
		}
	}
	for _, line := range []string{"// options: --gpu-architecture=compute_70 --fmad=false --prec-div=true --prec-sqrt=true --ftz=false\n",
		"// compiler: NVRTC 12.6\n", ".target sm_70\n"} {
		if !strings.Contains(ptx, line) {
			t.Errorf("kernels.ptx has no line %q", line)
		}
	}
	for _, name := range cuda.Kernels {
		if !strings.Contains(ptx, ".visible .entry "+name+"(") {
			t.Errorf("kernels.ptx has no kernel %s", name)
		}
	}
	if n := strings.Count(ptx, ".visible .entry "); n != len(cuda.Kernels) {
		t.Errorf("kernels.ptx has %d kernels, not %d", n, len(cuda.Kernels))
	}
	for _, wrong := range []string{`\bfma\.`, `\bmad\.(rn|f)`, `\.ftz`, `\.approx`, `\b(mul|add|sub)\.f(32|64)`} {
		if found := regexp.MustCompile(wrong).FindString(strings.SplitN(ptx, ".version", 2)[1]); found != "" {
			t.Errorf("kernels.ptx computes with %s, whose rounding is not that of the CPU", found)
		}
	}
}
