package teb

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/types"
)

// quantity is what an expression computes with. All whole numbers are int there, and all others float64.
type quantity uint8

const (
	truth quantity = iota
	whole
	fraction
)

func (t Type) quantity() quantity {
	switch t {
	case Bool:
		return truth
	case F32, F64:
		return fraction
	}
	return whole
}

var quantityTypes = [...]types.Type{truth: types.Bool, whole: types.Int, fraction: types.Float64}

// source is where a number stands: a field of a contributor.
type source struct {
	contributor int
	field       *Field
}

// sources finds all fields of a name that are one value, and what they have in common.
func sources(schemas []*Schema, name string) (all []source, q quantity) {
	for k, s := range schemas {
		if f := s.Field(name); f != nil && f.Len == 0 {
			all = append(all, source{k, f})
			switch fq := f.Type.quantity(); {
			case len(all) == 1:
				q = fq
			case q != fq:
				q = max(q, fq, whole)
			}
		}
	}
	return all, q
}

// scalars are the names that stand for the event itself. Contributors cannot be called like them.
var scalars = []string{"pulse", "time", "groups", "damage", "contributions"}

// environment is what expressions can name, with its types, and for the library with its values.
type environment struct {
	schemas []*Schema
	known   types.Map
	over    map[string][]source // by name of a field
	vars    map[string]any
	c       map[string]any
	each    []map[string]any
	batch   *Batch // that prescale is asked for
	at      int
}

func newEnvironment(schemas []*Schema) (*environment, error) {
	x := &environment{schemas: schemas, over: map[string][]source{}, vars: map[string]any{}, c: map[string]any{}}
	x.known = types.Map{"prescale": types.TypeOf(x.prescale)}
	for _, name := range scalars {
		x.known[name] = types.Int
	}
	c := types.Map{}
	for _, s := range schemas {
		m := types.Map{"present": types.Bool, "damage": types.Int}
		for _, f := range s.fields {
			m[f.Name] = quantityTypes[f.Type.quantity()]
			if f.Len > 0 {
				m[f.Name] = types.Array(m[f.Name])
				continue
			}
			all, q := sources(schemas, f.Name)
			x.over[f.Name] = all
			c[f.Name] = types.Array(quantityTypes[q])
		}
		if _, taken := x.known[s.name]; taken || s.name == "c" || s.name == "min" || s.name == "max" {
			return nil, fmt.Errorf("teb: contributor %s: the name means something else in expressions", s.name)
		}
		x.known[s.name] = m
		x.each = append(x.each, map[string]any{})
		x.vars[s.name] = x.each[len(x.each)-1]
	}
	x.known["c"], x.vars["c"], x.vars["prescale"] = c, x.c, x.prescale
	return x, nil
}

// options are those of the library. Its own min and max have no answer where there is nothing.
func (x *environment) options() []expr.Option {
	return []expr.Option{expr.Env(x.known), expr.AsBool(),
		expr.DisableBuiltin("min"), expr.DisableBuiltin("max"), expr.DisableBuiltin("now"),
		expr.Function("min", func(v ...any) (any, error) { return extreme(false, v) }, extremeTypes...),
		expr.Function("max", func(v ...any) (any, error) { return extreme(true, v) }, extremeTypes...)}
}

var extremeTypes = []any{new(func([]int) int), new(func([]any) any), new(func([]float64) float64), new(func(int, int) int),
	new(func(float64, float64) float64), new(func(int, float64) float64), new(func(float64, int) float64)}

// names lists what can be named.
func (x *environment) names() string {
	all := []string{"prescale(n)"}
	all = append(all, scalars...)
	for _, name := range slices.Sorted(maps.Keys(x.over)) {
		all = append(all, "c."+name)
	}
	for _, s := range x.schemas {
		for i := range s.fields {
			all = append(all, s.name+"."+strings.Replace(s.fields[i].String(), " ", " (", 1)+")")
		}
		all = append(all, s.name+".present", s.name+".damage")
	}
	return strings.Join(all, ", ")
}

func (x *environment) prescale(n int) bool { return x.batch.Prescale(x.at, int64(n)) }

// set gives the library the values of an event. What is missing is 0 or false, and left out of c.
func (x *environment) set(b *Batch, i int) {
	x.batch, x.at = b, i
	for _, name := range scalars {
		x.vars[name] = int(b.scalar(name, i))
	}
	for k, s := range x.schemas {
		row, m := b.Row(i, k), x.each[k]
		m["present"], m["damage"] = row != nil, 0
		if row != nil {
			m["damage"] = int(HeadOf(row).Damage)
		}
		for f := range s.fields {
			m[s.fields[f].Name] = s.fields[f].boxed(row)
		}
	}
	for name, all := range x.over {
		_, q := sources(x.schemas, name)
		x.c[name] = gathered(b, i, all, q)
	}
}

// scalar is a value of the event itself.
func (b *Batch) scalar(name string, i int) int64 {
	e := b.event(i)
	switch name {
	case "pulse":
		return int64(e.key.Pulse)
	case "time":
		return int64(e.time)
	case "groups":
		return int64(e.groups)
	case "damage":
		return int64(e.damage)
	}
	return int64(bits.OnesCount64(e.have))
}

// boxed is a field as the library takes it.
func (f *Field) boxed(row []byte) any {
	n := max(f.Len, 1)
	switch f.Type.quantity() {
	case truth:
		return unless(f, collect(row, n, func(j int) bool { return f.Int(row, j) != 0 }))
	case whole:
		return unless(f, collect(row, n, func(j int) int { return int(f.Int(row, j)) }))
	}
	return unless(f, collect(row, n, func(j int) float64 { return f.Float(row, j) }))
}

func collect[T any](row []byte, n int, value func(int) T) []T {
	all := make([]T, n)
	for j := range all {
		if row != nil {
			all[j] = value(j)
		}
	}
	return all
}

func unless[T any](f *Field, all []T) any {
	if f.Len == 0 {
		return all[0]
	}
	return all
}

// gathered is what the contributors that are there brought, for c.
func gathered(b *Batch, i int, all []source, q quantity) any {
	var truths []bool
	ints, floats := []int{}, []float64{}
	for _, s := range all {
		row := b.Row(i, s.contributor)
		if row == nil {
			continue
		}
		truths = append(truths, s.field.Int(row, 0) != 0)
		ints = append(ints, int(s.field.Int(row, 0)))
		floats = append(floats, s.field.Float(row, 0))
	}
	switch q {
	case truth:
		return truths
	case whole:
		return ints
	}
	return floats
}

// extreme is the smallest or largest of numbers, or of a list of them; of nothing it is 0.
func extreme(largest bool, v []any) (any, error) {
	if len(v) == 1 {
		switch list := v[0].(type) {
		case []int:
			return extremeOf(largest, list), nil
		case []float64:
			return extremeOf(largest, list), nil
		case []any:
			v = list
		}
	}
	var floats []float64
	var ints []int
	for _, x := range v {
		switch x := x.(type) {
		case int:
			ints, floats = append(ints, x), append(floats, float64(x))
		case float64:
			floats = append(floats, x)
		default:
			return nil, fmt.Errorf("teb: %T is no number", x)
		}
	}
	if len(ints) == len(v) {
		return extremeOf(largest, ints), nil
	}
	return extremeOf(largest, floats), nil
}

func extremeOf[T int | int64 | float64](largest bool, list []T) (best T) {
	for i, x := range list {
		if i == 0 || further(largest, x, best) {
			best = x
		}
	}
	return best
}

// further tells whether x takes the place of the best so far.
func further[T int | int64 | float64](largest bool, x, best T) bool {
	return largest && x > best || !largest && x < best
}
