package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"drp/internal/settings"
)

// Steered is what can be set while it goes on: a run.
type Steered interface {
	Settings() settings.Listing
	// Set gives the generation with which the values hold, or why nothing changes.
	Set(values map[string]any, who string) (generation int64, err error)
}

// Accepted says with which generation settings hold.
type Accepted struct {
	Generation int64 `json:"generation"`
}

// SettingsPath is where a Server lets settings be read and changed.
const SettingsPath = "/v1/settings"

// SettingsPages are for a GET and a POST of SettingsPath. They answer 503 until there is something to ask.
func SettingsPages(steered func() Steered) (get, post http.Handler) {
	ask := func(answer func(w http.ResponseWriter, r *http.Request, s Steered)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s := steered(); s != nil {
				answer(w, r, s)
				return
			}
			refuse(w, http.StatusServiceUnavailable, "the run has not begun")
		})
	}
	get = ask(func(w http.ResponseWriter, _ *http.Request, s Steered) { reply(w, s.Settings()) })
	return get, ask(change)
}

func change(w http.ResponseWriter, r *http.Request, s Steered) {
	values, err := valuesOf(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	generation, err := s.Set(values, Who(r))
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	reply(w, Accepted{Generation: generation})
}

// valuesOf reads an object of values by name.
func valuesOf(body io.Reader) (values map[string]any, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&values); err == nil && values == nil {
		err = errors.New("null")
	}
	if err == nil && d.More() {
		err = errors.New("something follows it")
	}
	if err != nil {
		return nil, fmt.Errorf(`send an object of values by name, as {"threshold": 60}: %w`, err)
	}
	return values, nil
}
