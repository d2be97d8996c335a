package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"drp/internal/wire"
)

// TestJSONTrouble: nobody who sends JSON has to know the language of the decoder.
func TestJSONTrouble(t *testing.T) {
	type order struct {
		Now   bool
		Speed *float64
		Step  int
		Name  string
		All   []int
		In    struct{ Deep int }
	}
	for text, want := range map[string]string{
		"":                   "it is empty",
		`{"Now": `:           "it ends too early",
		`{"Now": true`:       "it ends too early",
		`nonsense`:           "it is no JSON from byte 2 on",
		`{"Now" true}`:       "it is no JSON from byte 8 on",
		`{"Now": 1}`:         `"Now" is a number, and is to be true or false`,
		`{"Speed": "fast"}`:  `"Speed" is a text, and is to be a number`,
		`{"Step": 1.5}`:      `"Step" is 1.5, and is to be a whole number`,
		`{"Step": true}`:     `"Step" is true or false, and is to be a whole number`,
		`{"Name": [1]}`:      `"Name" is a list, and is to be a text`,
		`{"All": {}}`:        `"All" is an object, and is to be a list`,
		`{"In": {"Deep": 1`:  "it ends too early",
		`{"In": {"Deep":""}`: "it ends too early",
		`{"In":{"Deep":""}}`: `"In.Deep" is a text, and is to be a whole number`,
		`[1]`:                "the whole is a list, and is to be an object",
		`5`:                  "the whole is a number, and is to be an object",
		`{"Then": 1}`:        `unknown field "Then"`,
	} {
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := wire.JSONTrouble(d.Decode(new(order))); err == nil || err.Error() != want {
			t.Errorf("%s: %v, and not %s", text, err, want)
		}
	}
	if err := wire.JSONTrouble(json.Unmarshal([]byte(`{"Now"`), new(order))); err == nil || err.Error() != "it ends too early" {
		t.Error(err)
	}
	other := errors.New("something follows it")
	if wire.JSONTrouble(nil) != nil || !errors.Is(wire.JSONTrouble(other), other) {
		t.Error("what is plain already is changed")
	}
}
