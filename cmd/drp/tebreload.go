package main

import (
	"context"
	"errors"

	tebscript "drp/teb/script"
	"drp/watch"
)

// Why a drp teb takes no script anew.
var (
	errByRules     = errors.New("this is drp teb with rules, which are read at its start alone: start it again")
	errNoneDecides = errors.New("the trigger script does not decide yet: it is read when all contributors are there")
)

// deciding is the script that decides at present; nil is none.
func (b *builders) deciding() *tebscript.Logic {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.script
}

// reload tries the script as its file is now, as a run does, and lets it decide from the next step on, or at once.
func (b *builders) reload(ctx context.Context, asked watch.Reload) (got watch.Reloaded, err error) {
	script := b.deciding()
	if b.rules.Script == "" {
		return got, errByRules
	}
	if script == nil {
		return got, errNoneDecides
	}
	text, err := script.Try(ctx)
	if err == nil {
		got = watch.Reloaded{SHA256: text.SHA256, State: "in use", Tried: text.Tried}
		switch {
		case text.Tried == "":
		case asked.Check:
			got.State = "only tried"
		case !asked.Now:
			got.State = "taken at the next step"
		}
	}
	if err == nil && !asked.Check {
		err = text.Take(asked.Now)
	}
	if err != nil && !asked.Check {
		script.Refuse(err)
		b.log.Error(err.Error())
	}
	return got, err
}

// loaded says which text of the script decides; without a generation where none does.
func (b *builders) loaded() (l watch.Loaded) {
	script := b.deciding()
	if script == nil {
		return l
	}
	now := script.Loaded()
	l = watch.Loaded{SHA256: now.SHA256, Generation: now.Generation, Time: now.Since, Refused: now.Refused}
	if now.Next != "" {
		l.Next = &watch.NextScript{SHA256: now.Next, State: "taken at the next step"}
	}
	return l
}
