package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// kinds are what a value of JSON is to be, by the type that takes it.
var kinds = map[reflect.Kind]string{reflect.Bool: "true or false", reflect.String: "a text", reflect.Struct: "an object", reflect.Map: "an object",
	reflect.Slice: "a list", reflect.Float64: "a number"}

// JSONTrouble says in plain words what is wrong with what somebody has sent as JSON, where the decoder says it in its own.
func JSONTrouble(err error) error {
	syntax, kind := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind):
		name := "the whole"
		if kind.Field != "" {
			name = fmt.Sprintf("%q", kind.Field)
		}
		wanted, known := kinds[kind.Type.Kind()]
		if !known {
			wanted = "a whole number"
		}
		return fmt.Errorf("%s is %s, and is to be %s", name, written(kind.Value), wanted)
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return errors.New("it ends too early")
	case errors.As(err, &syntax):
		return fmt.Errorf("it is no JSON from byte %d on", syntax.Offset)
	}
	if text, own := strings.CutPrefix(err.Error(), "json: "); own { // as of a field that is not known
		return errors.New(text)
	}
	return err
}

// written is what the decoder says of a value, as "number 5" or "bool".
func written(value string) string {
	kind, rest, _ := strings.Cut(value, " ")
	switch kind {
	case "bool":
		return "true or false"
	case "string":
		return "a text"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "number":
		if rest != "" {
			return rest
		}
		return "a number"
	}
	return value
}
