package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"drp/drp"
	"drp/internal/script"
)

// examineScript looks at the script before anything is started, and logs what it is and what is wrong with it. A script
// that is missing is left to the run, which knows which one may have been meant.
func examineScript(path string, log *slog.Logger) (script.Info, error) {
	info, err := script.Examine(path)
	if errors.Is(err, fs.ErrNotExist) {
		return script.Info{}, nil
	}
	if err != nil {
		return info, &drp.Failure{Kind: drp.Script, Err: err}
	}
	log.Info(fmt.Sprintf("script %s, %d bytes, SHA-256 %s", info.Path, info.Bytes, info.SHA256))
	for _, w := range info.Warnings {
		log.Warn(w)
	}
	return info, nil
}

// examineScripts looks at all scripts of a run.
func examineScripts(cfg *drp.Config) error {
	first, err := examineScript(cfg.Script, cfg.Log)
	if err == nil && cfg.Post != nil {
		_, err = examineScript(cfg.Post.Script, cfg.Log)
	}
	if err == nil && first.Path != "" {
		warnOfRoot(os.Geteuid(), cfg.Log)
	}
	return err
}

// warnOfRoot says once what it means to run as root.
func warnOfRoot(uid int, log *slog.Logger) {
	if uid == 0 {
		log.Warn("running as root: the script can do anything on this machine; nothing in drp needs root")
	}
}
