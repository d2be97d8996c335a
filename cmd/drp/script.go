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
	warnOfRoot(os.Geteuid(), log)
	return info, nil
}

// warnOfRoot says once what it means to run as root.
func warnOfRoot(uid int, log *slog.Logger) {
	if uid == 0 {
		log.Warn("running as root: the script can do anything on this machine; nothing in drp needs root")
	}
}
