package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/internal/settings"
)

// TestSettingsOfRules: with rules it is known at once that nothing can be set, and with a script when it has begun.
func TestSettingsOfRules(t *testing.T) {
	noEnvironment(t)
	var byRules, byScript tebSettings
	if err := byRules.begin(&setFlag{}, false, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if unknown, err := byRules.book.Try(map[string]any{"a": 1}); err != nil || !strings.Contains(unknown["a"], "nothing can be set") {
		t.Errorf("%v, %v", unknown, err)
	}
	if err := byScript.begin(&setFlag{words: []string{"a=2"}}, true, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if _, err := byScript.book.Try(map[string]any{"a": 1}); err == nil || !strings.Contains(err.Error(), "has not said yet") {
		t.Error(err)
	}
	rules := write(t, filepath.Join(t.TempDir(), "rules.yaml"), "rules:\n  - {name: any, when: \"true\"}\n")
	code, _, errs := command(t, "teb", "-t", rules, "--contributors", "cam_0", "--listen", "ipc://"+t.TempDir()+"/s", "--set", "a=1")
	if code != 2 || !strings.Contains(errs, "--set and settings: are for parameters of a trigger script") {
		t.Errorf("%d: %s", code, errs)
	}
}

// TestSettingsTurn between two batches, and those that come soon after each other together.
func TestSettingsTurn(t *testing.T) {
	all, err := settings.Declared([]byte(`[{"name":"a","type":"int","default":3}]`), "trigger")
	if err != nil {
		t.Fatal(err)
	}
	var s tebSettings
	if err = s.begin(&setFlag{words: []string{"a=2"}}, true, slog.New(slog.DiscardHandler)); err == nil {
		err = s.declare(all)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := func(generation uint32, a int64) {
		t.Helper()
		if now := s.turn(); now.Generation != generation || now.Values[0] != a {
			t.Errorf("%+v, want generation %d with %d", now, generation, a)
		}
	}
	set := func(a int) {
		t.Helper()
		if _, err := s.book.Set(map[string]any{"a": a}, "me"); err != nil {
			t.Fatal(err)
		}
	}
	want(1, 2)
	set(5)
	want(2, 5)
	s.not = time.Now().Add(time.Hour)
	set(6)
	want(2, 5)
	set(7)
	s.not = time.Time{}
	want(3, 7)
	if err := s.declare(all); err != nil {
		t.Fatal(err)
	}
	want(3, 7)
}
