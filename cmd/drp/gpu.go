package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/hit"
	"drp/hit/cuda"
	"drp/pebble"
)

// gpuProgram is drp with the driver of a GPU. It cannot even be loaded where there is no such driver: so it is a program of
// its own, beside this one, which looks whether it works and becomes it.
const gpuProgram = "drp-cuda"

// What --gpu can be.
const (
	gpuOff      = "off"
	gpuOn       = "on"
	gpuRequired = "required"
)

// gpuTrouble is why no GPU can be used. It ends the run where one is required, and is told else.
func gpuTrouble(wanted string, log *slog.Logger, why error) error {
	if wanted == gpuRequired {
		return &drp.Failure{Kind: drp.GPU, Err: fmt.Errorf("--gpu=required: %w", why)}
	}
	log.Warn("hits are found by the CPU: no GPU can be used", "reason", why)
	return nil
}

// becomeGPUProgram goes on as drp-cuda, where a GPU is wanted, it is there, and it works. It returns where it is not, and
// where this is that program already.
func becomeGPUProgram(wanted string, hits *drp.Hits, log *slog.Logger) error {
	switch {
	case wanted == gpuOff || newDriver != nil:
		return nil
	case hits == nil:
		return fmt.Errorf("--gpu: nobody looks for hits: give --hits %s, too", hit.Finders[0])
	case hits.Finder != "peakfinder8" || hits.Pixels != hit.ADU:
		return gpuTrouble(wanted, log, fmt.Errorf("a GPU finds by peakfinder8 in pixels=adu, and not by %s in pixels=%s", hits.Finder,
			hits.Pixels))
	}
	path, err := besideUs()
	if err == nil {
		err = probe(path)
	}
	if err != nil {
		return gpuTrouble(wanted, log, err)
	}
	err = syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
	return gpuTrouble(wanted, log, &fs.PathError{Op: "exec", Path: path, Err: err})
}

// besideUs finds the program in the folder of this one.
func besideUs() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), gpuProgram)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not beside %s: make cuda builds it, docs/gpu.md tells how", gpuProgram, self)
	}
	return path, nil
}

// probed is what the program says about its GPU.
type probed struct {
	Version string `json:"version"`
	GPU     string `json:"gpu"`
}

// probeTime is enough for a driver that wakes a GPU and compiles the kernels for it.
const probeTime = 60 * time.Second

// probe runs the program once, so that whatever happens to it does not happen to us.
func probe(path string) error {
	ctx, stop := context.WithTimeout(context.Background(), probeTime)
	defer stop()
	cmd := exec.CommandContext(ctx, path, "gpu-probe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s looked for a GPU for %v and did not come back", path, probeTime)
	case err != nil && strings.Contains(said.String(), "libcuda.so"):
		return errors.New("there is no NVIDIA driver on this machine (its libcuda.so.1 cannot be loaded)")
	case err != nil:
		return fmt.Errorf("%s finds none: %w: %s", path, err, firstLine(said.String()+string(out)))
	}
	var p probed
	if err := json.Unmarshal(out, &p); err != nil {
		return fmt.Errorf("%s does not say which GPU it finds: %w", path, err)
	}
	if p.Version != version {
		return fmt.Errorf("%s is of version %s, and this is %s: build both anew (make build cuda)", path, p.Version, version)
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// useGPU lets a run find hits on a GPU, where it was asked for and this program has a driver. The answer must be closed.
func useGPU(wanted string, cfg *drp.Config) (*cuda.GPU, error) {
	if wanted == gpuOff || newDriver == nil || cfg.Hits == nil {
		return nil, nil
	}
	g, err := openGPU(cfg.Log)
	if err != nil {
		return nil, gpuTrouble(wanted, cfg.Log, err)
	}
	cfg.Log.Info("hits are found by a GPU", "gpu", g.Name())
	cfg.Finder = g.Finder
	cfg.Memory = func(pool *pebble.Pool) {
		for _, ring := range pool.Events {
			g.Register(ring.Bytes())
		}
	}
	return g, nil
}

// endGPU closes it, if there is one, and tells what it did.
func endGPU(g *cuda.GPU, log *slog.Logger) {
	if g == nil {
		return
	}
	if err := g.Close(); err != nil {
		log.Warn("the GPU is not given back", "reason", err)
	}
	b := g.Books()
	log.Info("the GPU has ended", "events", b.GPU, "batches", b.Batches, "copied_before", b.Staged, "checked", b.Checked,
		"too_much_for_it", b.Overflow, "nothing_for_it", b.Other, "by_cpu_instead", b.Instead)
}

func openGPU(log *slog.Logger) (*cuda.GPU, error) {
	driver, err := newDriver()
	if err != nil {
		return nil, err
	}
	return cuda.Open(cuda.Options{Driver: driver, Log: log})
}

// newProbeCommand is what drp asks of drp-cuda.
func newProbeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "gpu-probe",
		Short:  "Look whether a GPU can be used",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if newDriver == nil {
				return general(errors.New("this program has no driver for a GPU"))
			}
			g, err := openGPU(nil)
			if err != nil {
				return general(err)
			}
			if err := errors.Join(cuda.SelfTest(g), g.Close()); err != nil {
				return general(err)
			}
			return printJSON(probed{version, g.Name()})
		},
	}
}
