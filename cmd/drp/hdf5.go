package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"drp/calib/intake"
	"drp/drp"
	"drp/internal/npy"
)

// hdf5Patience is what Python may take to read one array.
const hdf5Patience = 2 * time.Minute

// splitHDF5 takes FILE.h5:/path apart.
func splitHDF5(name string) (file, dataset string, ok bool) {
	for _, suffix := range []string{".h5:", ".hdf5:", ".hdf:", ".nxs:", ".cxi:"} {
		if at := strings.Index(name, suffix); at > 0 {
			return name[:at+len(suffix)-1], name[at+len(suffix):], true
		}
	}
	return "", "", false
}

// readHDF5 has Python write an array as NPY: HDF5 is read by its own library, in a process that it may take down.
func readHDF5(ctx context.Context, python, file, dataset string) (*npy.Array, error) {
	python, err := drp.FindPython(python)
	if err != nil {
		return nil, err
	}
	// The process starts in another folder, so that names are made absolute; links stay, which virtual environments go by.
	if python, err = filepath.Abs(python); err != nil {
		return nil, err
	}
	if file, err = filepath.Abs(file); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "drp-hdf5-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := filepath.Join(dir, "array.npy")
	ctx, cancel := context.WithTimeout(ctx, hdf5Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-m", "drp._hdf5", file, dataset, out)
	cmd.Dir = dir // Python looks for modules in its folder first, and that of the user may hold anything
	cmd.Env = os.Environ()
	if path := drp.PythonPath(); path != "" {
		if old := os.Getenv("PYTHONPATH"); old != "" {
			path += string(os.PathListSeparator) + old
		}
		cmd.Env = append(cmd.Env, "PYTHONPATH="+path)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		why := lines[len(lines)-1]
		if ctx.Err() != nil {
			why = fmt.Sprintf("Python took longer than %v", hdf5Patience)
		} else if why == "" {
			why = err.Error()
		}
		return nil, errors.New(why)
	}
	return intake.ReadFile(out)
}
