package publish

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
)

// A choice is a file beside a publisher's socket: somebody wants other constants there, from the next step on. The
// folder is the user's own, so nobody else can choose.
const choiceSuffix = ".use"

var choicePattern = regexp.MustCompile(`^[0-9A-Za-z-]{1,128}$`)

// Choose asks the publisher at a socket for a set, by its id in the publisher's store. A later choice takes the place of
// one that was not taken yet.
func Choose(socket, id string) error {
	if !choicePattern.MatchString(id) {
		return fmt.Errorf("calib: %q is not the id of a set", id)
	}
	path := socket + choiceSuffix
	err := os.WriteFile(path+".new", []byte(id+"\n"), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return fmt.Errorf("calib: choose constants: %w", err)
	}
	return nil
}

// TakeChoice gives what was chosen for a socket since the last time, "" if nothing was.
func TakeChoice(socket string) (string, error) {
	path := socket + choiceSuffix
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	id := string(bytes.TrimSpace(text))
	if err == nil && !choicePattern.MatchString(id) {
		err = fmt.Errorf("%.80q is not the id of a set", text)
	}
	if err != nil {
		return "", fmt.Errorf("calib: read what was chosen: %w", err)
	}
	return id, nil
}

// Forget removes what a socket leaves for the next publisher of the same name: there will be none.
func Forget(socket string) error {
	var errs []error
	for _, suffix := range []string{historySuffix, choiceSuffix} {
		if err := os.Remove(socket + suffix); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
