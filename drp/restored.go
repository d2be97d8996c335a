package drp

import (
	"fmt"
	"log/slog"
	"time"

	"drp/control"
	"drp/internal/settings"
)

// Restore lets a process begin with what was set in the partition before it was there, if run control knows of anything. It is for
// the first parameters that are declared, before any event has values; it tells what could not be.
func Restore(b *settings.Book, recall func() (control.Settings, error), now time.Time, log *slog.Logger) (trouble string) {
	was, err := recall()
	if err != nil {
		trouble = fmt.Sprintf("what was set before is not known, so that the script's own values and those of --set hold: %v", err)
	} else {
		c, err := b.Restore(was.Generation, was.Values, was.Own, "run control", now)
		if err != nil {
			trouble = fmt.Sprintf("what was set before cannot all be taken: %v", err)
		}
		if c != nil && len(c.Changes) > 0 {
			log.Info(fmt.Sprintf("settings: %v", c))
		}
	}
	if trouble != "" {
		log.Error("settings: " + trouble)
	}
	return trouble
}

// Words tells run control what the parameters of a process are.
func Words(b *settings.Book) *control.Settings {
	var w control.Settings
	w.Generation, w.Values, w.Set, w.Own = b.Words()
	return &w
}

// words are those of a run, once they are declared.
func (s *steering) words() *control.Settings {
	select {
	case <-s.said:
		return Words(&s.book)
	default:
		return nil
	}
}
