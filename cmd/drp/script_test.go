package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/drp"
)

func textLog(into *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(into, nil)) }

func TestTheScriptIsLogged(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "roi.py"), "hello")
	var said bytes.Buffer
	info, err := examineScript(path, textLog(&said))
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	if err != nil || info.SHA256 != sum || !strings.Contains(said.String(), "roi.py, 5 bytes, SHA-256 "+sum) {
		t.Errorf("%+v, %v\n%s", info, err, said.String())
	}
	if err := os.Chmod(path, 0o606); err != nil {
		t.Fatal(err)
	}
	said.Reset()
	if _, err := examineScript(path, textLog(&said)); err != nil || !strings.Contains(said.String(), "level=WARN") ||
		!strings.Contains(said.String(), "can be written by everybody") {
		t.Errorf("%v\n%s", err, said.String())
	}
	said.Reset()
	if _, err := examineScript(path+".missing", textLog(&said)); err != nil || said.Len() > 0 {
		t.Errorf("what is missing is left to the run: %v\n%s", err, said.String())
	}
	_, err = examineScript(t.TempDir(), textLog(&said))
	if f := (*drp.Failure)(nil); !errors.As(err, &f) || f.Kind != drp.Script {
		t.Errorf("%v", err)
	}
}

func TestRootIsWarned(t *testing.T) {
	var said bytes.Buffer
	warnOfRoot(1000, textLog(&said))
	if said.Len() > 0 {
		t.Error(said.String())
	}
	warnOfRoot(0, textLog(&said))
	if n := strings.Count(said.String(), "running as root"); n != 1 {
		t.Errorf("%d times: %s", n, said.String())
	}
}
