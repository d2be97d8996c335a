package watch

import (
	"maps"
	"reflect"
	"strings"
	"time"

	"drp/internal/settings"
)

// Document describes what a Server answers, as OpenAPI 3.1. It is made from the types, so that it says what they do.
func Document() map[string]any {
	parts := map[string]any{}
	describe(reflect.TypeFor[Status](), parts)
	describe(reflect.TypeFor[Rights](), parts)
	describe(reflect.TypeFor[Reload](), parts)
	describe(reflect.TypeFor[Reloaded](), parts)
	describe(reflect.TypeFor[settings.Listing](), parts)
	describe(reflect.TypeFor[Accepted](), parts)
	describe(reflect.TypeFor[Checked](), parts)
	describe(reflect.TypeFor[Refused](), parts)
	answer := func(says, kind string, schema any) map[string]any {
		return map[string]any{"get": map[string]any{"summary": says, "responses": map[string]any{
			"200": map[string]any{"description": says, "content": map[string]any{kind: map[string]any{"schema": schema}}},
			"401": map[string]any{"description": "the token is missing or wrong"},
			"403": map[string]any{"description": "a page of somebody else asks"},
			"421": map[string]any{"description": "the host is no name of this machine"},
		}}}
	}
	// paced is an answer of which there are only so many in a second.
	paced := func(says, kind string, schema any) map[string]any {
		one := answer(says, kind, schema)
		one["get"].(map[string]any)["responses"].(map[string]any)["503"] = map[string]any{
			"description": "so many ask at this moment that it would take too long: Retry-After says when to ask again"}
		return one
	}
	list := answer("the parameters of scripts and stages, and their history", "application/json", reference("Listing"))
	change := posted("change parameters, all or none, from one of the next events on", "the generation with which they hold", "Accepted")
	change["parameters"] = []any{map[string]any{"name": forWhom, "in": "query", "required": false, "schema": map[string]any{"type": "string",
		"enum": []string{forPartition}}, "description": "partition: all processes of the partition are to have the values, and each is asked so; " +
		"without, they are this process's own"}}
	list["post"] = change
	text := map[string]any{"type": "string"}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "drp", "version": "1", "description": "A run of drp. Every member is always there unless it is said to be " +
			"absent. Members may be added; clients leave what they do not know."},
		"paths": map[string]any{
			"/v1/status": paced("the run at this moment", "application/json", reference("Status")),
			"/v1/rights": answer("what the one who asks may do", "application/json", reference("Rights")),
			"/v1/reload": posting("take the scripts as their files are now: tried aside first, and used from the next step on", reference("Reload"),
				reference("Reloaded")),
			SettingsPath: list,
			CheckPath: map[string]any{"post": posted("say what would come of a change, and change nothing", "which names are known here, whose values "+
				"are all allowed", "Checked")},
			"/v1/openapi.json": paced("this document", "application/json", map[string]any{"type": "object"}),
			"/metrics":         paced("the same for Prometheus", "text/plain", text),
		},
		"components": map[string]any{"schemas": parts, "securitySchemes": map[string]any{
			"bearer": map[string]any{"type": "http", "scheme": "bearer"},
			"query":  map[string]any{"type": "apiKey", "in": "query", "name": "token"},
		}},
		"security": []any{map[string]any{"bearer": []any{}}, map[string]any{"query": []any{}}},
	}
}

// posting describes what can be posted to a path.
func posting(says string, sent, answered map[string]any) map[string]any {
	content := func(schema map[string]any) map[string]any {
		return map[string]any{"application/json": map[string]any{"schema": schema}}
	}
	return map[string]any{"post": map[string]any{"summary": says, "requestBody": map[string]any{"required": true, "content": content(sent)},
		"responses": map[string]any{
			"200": map[string]any{"description": says, "content": content(answered)},
			"401": map[string]any{"description": "the token is missing or wrong"},
			"403": map[string]any{"description": "the token is that for watching, or a page of somebody else asks"},
			"413": map[string]any{"description": "too long"},
			"415": map[string]any{"description": "no JSON"},
			"422": map[string]any{"description": "it is not done", "content": content(reference("Refused"))},
		}}}
}

// posted describes what values are sent to, and what it answers.
func posted(says, got, schema string) map[string]any {
	answer := func(says, schema string) map[string]any {
		return map[string]any{"description": says, "content": map[string]any{"application/json": map[string]any{"schema": reference(schema)}}}
	}
	return map[string]any{"summary": says,
		"requestBody": map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{
			"schema":  map[string]any{"type": "object", "description": "values by name", "additionalProperties": map[string]any{}},
			"example": map[string]any{"threshold": 60},
		}}},
		"responses": map[string]any{
			"200": answer(got, schema),
			"400": answer("what is sent makes no sense", "Refused"),
			"401": map[string]any{"description": "the token is missing or wrong"},
			"403": map[string]any{"description": "the token is for watching, or a page of somebody else asks"},
			"413": answer("more than 64 KiB", "Refused"),
			"415": answer("this is not sent as JSON", "Refused"),
			"422": answer("a value that is not allowed, or a name that is not known where it matters; all stay as they are", "Refused"),
			"503": answer("the run has not begun", "Refused"),
		}}
}

func reference(name string) map[string]any {
	return map[string]any{"$ref": "#/components/schemas/" + name}
}

// describe gives the schema of a type. Those of structs go into parts, under their names.
func describe(t reflect.Type, parts map[string]any) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem(), parts)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": describe(t.Elem(), parts)}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Interface: // a value of a setting
		return map[string]any{"type": []string{"number", "string", "boolean", "null"}}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": describe(t.Elem(), parts)}
	case reflect.Array:
		return map[string]any{"type": "array", "items": describe(t.Elem(), parts), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return map[string]any{"type": "string", "format": "date-time"}
		}
		if parts[t.Name()] == nil {
			parts[t.Name()] = true // should it hold itself
			parts[t.Name()] = object(t, parts)
		}
		return reference(t.Name())
	default:
		return map[string]any{"type": "integer"}
	}
}

func object(t reflect.Type, parts map[string]any) map[string]any {
	members, always := map[string]any{}, []string{}
	for f := range t.Fields() {
		if f.Anonymous {
			inner := object(f.Type, parts)
			maps.Copy(members, inner["properties"].(map[string]any))
			always = append(always, inner["required"].([]string)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		schema := describe(f.Type, parts)
		if says := f.Tag.Get("doc"); says != "" {
			schema["description"] = says
		}
		if f.Tag.Get("null") != "" {
			schema["type"] = []string{schema["type"].(string), "null"}
		}
		if values := f.Tag.Get("enum"); values != "" {
			schema["enum"] = strings.Split(values, ",")
		}
		members[name] = schema
		if options != "omitempty" && options != "omitzero" {
			always = append(always, name)
		}
	}
	return map[string]any{"type": "object", "properties": members, "required": always}
}
