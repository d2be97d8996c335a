package settings

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parameter is what a stage or a script lets others set. Values are int64, float64, bool or string, as the type says.
type Parameter struct {
	Name    string `json:"name"`
	Type    string `json:"type" enum:"int,float,bool,str"`
	Default any    `json:"default"`
	Min     any    `json:"min" doc:"the least that is allowed, null without"`
	Max     any    `json:"max" doc:"the most that is allowed, null without"`
	Choices []any  `json:"choices" null:"yes" doc:"the only values that are allowed, null without"`
	Unit    string `json:"unit"`
	Doc     string `json:"doc"`
	Stage   string `json:"stage" doc:"who has declared it: script, post, or a stage"`
	Units   Units  `json:"-"` // that a text may have behind its number, for a Float of drp; nil takes numbers alone
}

// The types of a Parameter.
const (
	Int   = "int"
	Float = "float"
	Bool  = "bool"
	Str   = "str"
)

// Bounds of what can be declared.
const (
	MostText       = 127 // bytes of a value
	MostParameters = 64  // of a script
	mostWords      = 1024
	mostChoices    = 64
)

var names = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Declared reads what a script declares, as JSON. It is the script's word, so that all is looked at.
func Declared(text []byte, stage string) ([]Parameter, error) {
	var all []Parameter
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("settings: the declaration makes no sense: %w", err)
	}
	if len(all) > MostParameters {
		return nil, fmt.Errorf("settings: %d parameters: %d are allowed", len(all), MostParameters)
	}
	for i := range all {
		p := &all[i]
		p.Stage = stage
		if !names.MatchString(p.Name) {
			return nil, fmt.Errorf("settings: the name %q: give up to 64 letters, digits and '_'", p.Name)
		}
		if err := p.complete(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all[:i], func(q Parameter) bool { return q.Name == p.Name }) {
			return nil, fmt.Errorf("settings: %s is declared twice", p.Name)
		}
	}
	return all, nil
}

// complete gives all values of a declaration their types, and refuses one that contradicts itself.
func (p *Parameter) complete() (err error) {
	if !slices.Contains([]string{Int, Float, Bool, Str}, p.Type) {
		return fmt.Errorf("settings: %s: %q is no type", p.Name, p.Type)
	}
	for _, bound := range []*any{&p.Min, &p.Max} {
		if *bound == nil {
			continue
		}
		if p.Type != Int && p.Type != Float {
			return fmt.Errorf("settings: %s: min and max are for numbers", p.Name)
		}
		if *bound, err = p.typed(*bound); err != nil {
			return err
		}
	}
	if len(p.Choices) > mostChoices {
		return fmt.Errorf("settings: %s: %d choices: %d are allowed", p.Name, len(p.Choices), mostChoices)
	}
	for i := range p.Choices {
		if p.Choices[i], err = p.typed(p.Choices[i]); err != nil {
			return err
		}
	}
	p.Unit, p.Doc = printable(p.Unit), printable(p.Doc)
	p.Default, err = p.Value(p.Default)
	return err
}

// printable makes a text of a script short, and one that terminals do not obey.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, " "))
	if len(text) > mostWords {
		text = strings.ToValidUTF8(text[:mostWords], "")
	}
	return text
}

// Value gives what somebody wants a parameter to be as its type, or says why it cannot be that.
func (p *Parameter) Value(given any) (any, error) {
	v, err := p.typed(given)
	if err != nil {
		return nil, err
	}
	switch {
	case p.Min != nil && less(v, p.Min):
		return nil, fmt.Errorf("%s: %s is less than %s, the least that %s allows", p.Name, Text(v), Text(p.Min), p.declarer())
	case p.Max != nil && less(p.Max, v):
		return nil, fmt.Errorf("%s: %s is more than %s, the most that %s allows", p.Name, Text(v), Text(p.Max), p.declarer())
	case p.Choices != nil && !slices.Contains(p.Choices, v):
		return nil, fmt.Errorf("%s: %v is none of %s", p.Name, Text(v), strings.Trim(fmt.Sprint(p.Choices), "[]"))
	}
	return v, nil
}

func (p *Parameter) declarer() string {
	switch p.Stage {
	case "script":
		return "the script"
	case "post":
		return "the second script"
	case "trigger":
		return "the trigger script"
	}
	return "drp"
}

func less(a, b any) bool {
	if i, ok := a.(int64); ok {
		return i < b.(int64)
	}
	return a.(float64) < b.(float64)
}

// typed gives a value the type of the parameter. Text is read as on a command line; true and false are no numbers.
func (p *Parameter) typed(given any) (any, error) {
	var v any
	switch text, isText := textOf(given); p.Type {
	case Int:
		v = integer(text)
	case Float:
		if f, ok := p.Units.Read(text); ok {
			v = f
		}
	case Bool:
		switch strings.ToLower(text) {
		case "true", "1", "on", "yes":
			v = true
		case "false", "0", "off", "no":
			v = false
		}
	case Str:
		if isText && len(text) > MostText {
			return nil, fmt.Errorf("%s: a text of %d bytes: %d are allowed", p.Name, len(text), MostText)
		}
		if isText && utf8.ValidString(text) && !strings.ContainsRune(text, 0) {
			v = text
		}
	}
	if v == nil {
		return nil, fmt.Errorf("%s: %s is no %s%v", p.Name, shortly(given), map[string]string{Int: "whole number of 64 bits",
			Float: "finite number", Bool: "true or false", Str: "text"}[p.Type], p.Units)
	}
	return v, nil
}

// integer reads one, which may be written as 60.0 or 6e1; nil is none.
func integer(text string) any {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
	}
	f, ok := number(text)
	if !ok || math.Abs(f) > 1<<63 {
		return nil
	}
	if f == 0 {
		return int64(0)
	}
	if r, ok := new(big.Rat).SetString(text); ok && r.IsInt() && r.Num().IsInt64() { // float64 has 53 bits of it
		return r.Num().Int64()
	}
	return nil
}

// number reads a finite one. What is too small for anything but zero is none.
func number(text string) (f float64, ok bool) {
	f, err := strconv.ParseFloat(text, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	small := f == 0 && strings.ContainsAny(mantissa, "123456789")
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && !small && !strings.ContainsAny(text, "xX_")
}

// textOf writes a value as it would stand on a command line, and tells whether it was text.
func textOf(given any) (text string, isText bool) {
	switch v := given.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), false
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), false
	case int64, int, bool:
		return fmt.Sprint(v), false
	}
	return "", false
}

// Plain writes a value as it would stand on a command line.
func Plain(v any) string {
	text, _ := textOf(v)
	return text
}

func shortly(given any) string {
	text := Text(given)
	if n := 64; len(text) > n {
		text = strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}

// Text shows a value, in quotes where it is text. A number of JSON is shown as it stands there.
func Text(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	if f, ok := v.(float64); ok {
		if f == math.Trunc(f) && math.Abs(f) < 1e15 {
			return strconv.FormatFloat(f, 'f', -1, 64)
		}
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	switch v.(type) {
	case nil:
		return "null"
	case map[string]any, []any: // it is none, and shown as it was sent
		if text, err := json.Marshal(v); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v)
}
