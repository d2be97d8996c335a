package watch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"drp/internal/settings"
	"drp/internal/wire"
)

// Steered is what can be set while it goes on: a run.
type Steered interface {
	Settings() settings.Listing
	// Set gives the generation with which the values hold, or why nothing changes. They are this process's own; with SetForAll they are
	// those of all processes of its partition, each of which is asked so.
	Set(values map[string]any, who string) (generation int64, err error)
	SetForAll(values map[string]any, who string) (generation int64, err error)
	// Try tells what Set would say, and changes nothing: the names that nobody has declared, each with the reason, or why
	// others are refused.
	Try(values map[string]any) (unknown map[string]string, err error)
}

// Unheard is a Steered that can tell why what was just set may be lost; empty is that it may not.
type Unheard interface{ Unheard() string }

// Accepted says with which generation settings hold.
type Accepted struct {
	Generation int64  `json:"generation"`
	Warning    string `json:"warning,omitempty" doc:"why they may be lost, as where run control does not answer"`
}

// Checked says what would become of values if they were sent to be set.
type Checked struct {
	Known   []string          `json:"known" doc:"names of values that would be accepted, if they came without the others"`
	Unknown map[string]string `json:"unknown" doc:"by names that nobody has declared, why they would be refused"`
}

// SettingsPath is where a Server lets settings be read and changed, and CheckPath where it says what would come of that. It is
// a path of its own, so that a server of before refuses what it would take for a change.
const (
	SettingsPath = "/v1/settings"
	CheckPath    = SettingsPath + "/check"
	// ForAllPath is where all processes of a partition are told what is to hold in all of them.
	ForAllPath = SettingsPath + "?" + forWhom + "=" + forPartition
)

const (
	forWhom      = "for"
	forPartition = "partition"
)

// SettingsPages are what can be read and posted to, by path. They answer 503 until there is something to ask.
func SettingsPages(steered func() Steered) (get, post map[string]http.Handler) {
	ask := func(answer func(w http.ResponseWriter, r *http.Request, s Steered)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s := steered(); s != nil {
				answer(w, r, s)
				return
			}
			refuse(w, http.StatusServiceUnavailable, "the run has not begun")
		})
	}
	list := ask(func(w http.ResponseWriter, _ *http.Request, s Steered) { reply(w, s.Settings()) })
	return map[string]http.Handler{SettingsPath: list}, map[string]http.Handler{SettingsPath: ask(change), CheckPath: ask(check)}
}

func check(w http.ResponseWriter, r *http.Request, s Steered) {
	values, err := valuesOf(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	unknown, err := s.Try(values)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	known := []string{}
	for name := range values {
		if _, strange := unknown[name]; !strange {
			known = append(known, name)
		}
	}
	slices.Sort(known)
	reply(w, Checked{Known: known, Unknown: unknown})
}

func change(w http.ResponseWriter, r *http.Request, s Steered) {
	values, err := valuesOf(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	set := s.Set
	switch whom := r.URL.Query()[forWhom]; {
	case len(whom) == 1 && whom[0] == forPartition:
		set = s.SetForAll
	case len(whom) > 0:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("%s=%s: give %s, or leave it out for this process alone", forWhom, strings.Join(whom, ","), forPartition))
		return
	}
	generation, err := set(values, Who(r))
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	accepted := Accepted{Generation: generation}
	if of, can := s.(Unheard); can {
		accepted.Warning = of.Unheard()
	}
	reply(w, accepted)
}

// valuesOf reads an object of values by name.
func valuesOf(body io.Reader) (values map[string]any, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	if values, err = pairs(text); err != nil {
		return nil, fmt.Errorf(`send an object of values by name, as {"threshold": 60}: %w`, wire.JSONTrouble(err))
	}
	return values, nil
}

// pairs reads an object, in which each name is there once. What is no text is refused here, since the decoder would put something
// in its place.
func pairs(text []byte) (values map[string]any, err error) {
	if !utf8.Valid(text) || halfCharacter(text) {
		return nil, errors.New("this is no UTF-8")
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(new(any)); err != nil { // which says where, as Token does not
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, cmp.Or(err, errors.New("this is none"))
	}
	values = map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := token.(string) // the decoder takes no other
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		values[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows it")
	}
	return values, nil
}

// halfCharacter tells whether \uD83D or its like stands alone in JSON: two make a character.
func halfCharacter(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		first, is := escaped(text[i:])
		if !is || !utf16.IsSurrogate(first) {
			i++ // what follows is no beginning
			continue
		}
		if second, is := escaped(text[i+len(escape):]); !is || utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		i += 2*len(escape) - 1
	}
	return false
}

// escape is what a character may be written as, and escaped reads one at the beginning of a text.
const escape = `\u0000`

func escaped(text []byte) (r rune, is bool) {
	if len(text) < len(escape) || !bytes.HasPrefix(text, []byte(escape[:2])) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:len(escape)]), 16, 16)
	return rune(n), err == nil
}
