package drp_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"drp/drp"
)

// BenchmarkPipeline is the whole path of an event through an empty script; go test -bench Pipeline -cpuprofile shows
// where the time goes.
func BenchmarkPipeline(b *testing.B) {
	python := filepath.Join("..", ".venv", "bin", "python3")
	if _, err := os.Stat(python); err != nil {
		b.Skip("no .venv: run make test first")
	}
	src, err := filepath.Abs("../python/src")
	if err != nil {
		b.Fatal(err)
	}
	run, err := drp.New(context.Background(), drp.Config{Script: "../scripts/passthrough.py", Workers: 1, Python: python,
		PythonPath: src, Sources: []string{"sim:segments=1,rows=32,cols=64,bank=1,hits=0,slow=0"}, Events: int64(b.N),
		ResultBytes: 64 << 10, TransitionBytes: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := run.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
}
