package watch_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/watch"
)

// TestTheDocumentIsTheOneInDocs: UPDATE=1 go test ./watch writes it anew.
func TestTheDocumentIsTheOneInDocs(t *testing.T) {
	text, err := json.MarshalIndent(watch.Document(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "docs", "openapi.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if written, err := os.ReadFile(path); err != nil || string(written) != string(text)+"\n" {
		t.Errorf("docs/openapi.json is of another version (%v): UPDATE=1 go test ./watch", err)
	}
}

// TestAStatusIsAsTheDocumentSays, and so is one that has everything at its least.
func TestAStatusIsAsTheDocumentSays(t *testing.T) {
	text, err := json.Marshal(watch.Document())
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	parts := document["components"].(map[string]any)["schemas"].(map[string]any)
	run, builder := full(), building()
	run.Script = "x"
	seen := map[string]bool{"Rights": true, "Refused": true, "Reload": true, "Reloaded": true} // TestWhoMaySteer, TestReloadPage
	for _, s := range []watch.Status{run, builder} {
		if text, err = json.Marshal(s); err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		conforms(t, "status", got, parts["Status"].(map[string]any), parts, seen)
	}
	for _, path := range settingsPaths(t) {
		for name, text := range path {
			var got any
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			seen[name] = true
			conforms(t, name, got, parts[name].(map[string]any), parts, seen)
		}
	}
	for name := range parts {
		if name != "Status" && !seen[name] {
			t.Errorf("nothing in a full status is a %s", name)
		}
	}
}

// conforms compares a value with a schema.
func conforms(t *testing.T, where string, got any, schema, parts map[string]any, seen map[string]bool) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		seen[name] = true
		schema = parts[name].(map[string]any)
	}
	wrong := func() { t.Helper(); t.Errorf("%s: %v is no %v", where, got, schema["type"]) }
	if kinds, several := schema["type"].([]any); several {
		if strings.Contains(fmt.Sprint(kinds), map[string]string{"<nil>": "null", "string": "string", "bool": "boolean", "float64": "number",
			"[]interface {}": "array"}[fmt.Sprintf("%T", got)]) {
			return
		}
		wrong()
	}
	switch schema["type"] {
	case "object":
		members, ok := got.(map[string]any)
		if !ok {
			wrong()
			return
		}
		said, _ := schema["properties"].(map[string]any)
		for name, v := range members {
			if every, ok := schema["additionalProperties"].(map[string]any); ok {
				conforms(t, where+"."+name, v, every, parts, seen)
				continue
			}
			if said[name] == nil {
				t.Errorf("%s: %s is not described", where, name)
				continue
			}
			conforms(t, where+"."+name, v, said[name].(map[string]any), parts, seen)
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, there := members[name.(string)]; !there {
				t.Errorf("%s: %s is missing", where, name)
			}
		}
	case "array":
		items, ok := got.([]any)
		if !ok {
			wrong()
			return
		}
		for i, v := range items {
			conforms(t, fmt.Sprintf("%s[%d]", where, i), v, schema["items"].(map[string]any), parts, seen)
		}
	case "string":
		text, ok := got.(string)
		if !ok {
			wrong()
		}
		if values, ok := schema["enum"].([]any); ok && !strings.Contains(fmt.Sprint(values), text) {
			t.Errorf("%s: %q is none of %v", where, text, values)
		}
	case "boolean":
		if _, ok := got.(bool); !ok {
			wrong()
		}
	case "integer", "number":
		if n, ok := got.(float64); !ok || schema["type"] == "integer" && n != float64(int64(n)) {
			wrong()
		}
	default:
		t.Errorf("%s: the schema says %v", where, schema)
	}
}
