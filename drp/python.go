package drp

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"drp/fex"
)

// FindPython chooses the interpreter: the one named, or that of the active virtual environment, or that of a .venv
// beside the folder of this program, or the first python3 in the path.
func FindPython(named string) (string, error) {
	if named != "" {
		path, err := exec.LookPath(named)
		if errors.Is(err, fs.ErrPermission) {
			return "", failf(Configuration, "Python interpreter %s cannot be run by this user (--python)", named)
		}
		if err != nil {
			return "", failf(Configuration, "Python interpreter %s: there is no such program (--python)", named)
		}
		return path, nil
	}
	var candidates []string
	if venv := os.Getenv("VIRTUAL_ENV"); venv != "" {
		candidates = append(candidates, filepath.Join(venv, "bin", "python3"))
	}
	if root := Installation(); root != "" {
		candidates = append(candidates, filepath.Join(root, ".venv", "bin", "python3"))
	}
	for _, path := range append(candidates, "python3") {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", failf(Configuration, "no Python: there is no python3 in the path; install one, or name it with --python")
}

// PythonPath is the package drp's folder in the source tree this program was built in, if it is there; otherwise the
// package must be installed.
func PythonPath() string {
	dir := filepath.Join(Installation(), "python", "src")
	if _, err := os.Stat(filepath.Join(dir, "drp", "__init__.py")); err != nil {
		return ""
	}
	return dir
}

// Installation is the folder above the one that holds this program.
func Installation() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	if target, err := filepath.EvalSymlinks(self); err == nil {
		self = target
	}
	return filepath.Dir(filepath.Dir(self))
}

// children says what the processes of the script are.
func (r *Run) children() fex.Config {
	cfg := &r.cfg
	return fex.Config{
		Python: r.python, PythonPath: cfg.PythonPath, Script: cfg.Script, Args: cfg.Args, Detector: cfg.Detector,
		Publisher: r.calibration.publisher, Expt: r.exptName(), Run: r.runNumber(), Stream: r.stream(),
		GreetDeadline: greetDeadline, TransitionDeadline: cfg.TransitionDeadline, EventDeadline: cfg.EventDeadline,
		SoftDeadline: cfg.SoftDeadline, Spares: cfg.Spares, Retries: cfg.Retries, MaxRestarts: cfg.MaxRestarts,
		Degrade: !cfg.AbortOnUnrest, MaxResident: cfg.MaxResident, RecycleAfter: cfg.RecycleAfter,
		World: cfg.World, Start: cfg.Start, Source: cfg.ScriptText, Hits: r.hits.areas(), Settings: r.steering.board(ofScript),
		Spawner: r.spawner, Log: cfg.Log.With(slog.String("script", scriptName(cfg.Script))),
		Answered: r.answered, Restarted: r.restarted, GaveUp: r.gaveUp,
		Want:     func(worker int, want fex.Want) fex.Wanted { return r.preparation.want(worker, want) },
		Late:     func(n int) { r.books.late.Add(int64(n)) },
		Recycled: func(int) { r.books.recycled.Add(1) }, Retired: func(int, error) { r.books.retired.Add(1) },
		FellBack: func(cause error) { r.reloads.fellBack(0, cause) },
	}
}
