package teb

import (
	"fmt"

	"github.com/expr-lang/expr/ast"
)

// list is what a reduction goes over: a field of all contributors that are there, or the values of one field.
type list struct {
	sources  []source
	values   int // of the one source; else each has one
	quantity quantity
	always   bool // missing values are 0; else they are left out
}

// list finds what is reduced: c.field, or contributor.field of several values.
func (c *compiler) list(node ast.Node) (l list, ok bool) {
	if s, ok := c.array(node); ok {
		return list{[]source{s}, s.field.Len, s.field.Type.quantity(), true}, true
	}
	n, ok := node.(*ast.MemberNode)
	if !ok {
		return l, false
	}
	who, ok := n.Node.(*ast.IdentifierNode)
	what, ok2 := n.Property.(*ast.StringNode)
	if !ok || !ok2 || who.Value != "c" || c.names["c"] != nil {
		return l, false
	}
	all, q := sources(c.schemas, what.Value)
	return list{all, 1, q, false}, true
}

// each computes a part of an expression for every element of the list, and calls f for the events that have that element.
func (l *list) each(b *Batch, element, of *column, f func(i int)) {
	for _, s := range l.sources {
		for j := range l.values {
			s.read(b, j, element)
			if of != element {
				of.compute(b)
			}
			for i, place := range b.places {
				if l.always || b.builder.events[place].have>>s.contributor&1 != 0 {
					f(i)
				}
			}
		}
	}
}

// builtin is a function of the library.
func (c *compiler) builtin(n *ast.BuiltinNode) *column {
	if n.Name == "abs" {
		return c.abs(n)
	}
	if len(n.Arguments) < 1 || len(n.Arguments) > 2 {
		return nil
	}
	return c.reduce(n.Name, n.Arguments[0], n.Arguments[1:])
}

// reduce makes the column of a function of a list, or of what is computed of each element of it.
func (c *compiler) reduce(name string, of ast.Node, predicate []ast.Node) *column {
	l, ok := c.list(of)
	if !ok {
		return nil
	}
	element := newColumn(l.quantity)
	value := element
	if len(predicate) > 0 {
		c.elements = append(c.elements, element)
		value = c.compile(predicate[0])
		c.elements = c.elements[:len(c.elements)-1]
	}
	switch {
	case value == nil:
		return nil
	case value.quantity == whole:
		return reduceNumbers[int64](name, l, element, value)
	case value.quantity == fraction:
		return reduceNumbers[float64](name, l, element, value)
	}
	return reduceTruths(name, l, element, value)
}

func reduceNumbers[T number](name string, l list, element, value *column) *column {
	switch name {
	case "sum":
		return fold(l, element, value, func(_ int64, sum, v T) T { return sum + v })
	case "min", "max":
		return fold(l, element, value, func(nth int64, best, v T) T {
			if nth == 0 || further(name == "max", v, best) {
				return v
			}
			return best
		})
	case "len":
		return count(l, element, value, func(int) bool { return true })
	case "mean":
		value = asFloats(value)
		sum := fold(l, element, value, func(_ int64, sum, v float64) float64 { return sum + v })
		n := asFloats(count(l, element, value, func(int) bool { return true }))
		return mapNumbers(sum, n, func(sum, n float64) float64 { return sum / max(n, 1) })
	}
	return nil
}

func reduceTruths(name string, l list, element, value *column) *column {
	yes := count(l, element, value, func(i int) bool { return value.truths[i] })
	no := count(l, element, value, func(i int) bool { return !value.truths[i] })
	switch name {
	case "count":
		return yes
	case "any":
		return compare(yes, yes, func(n, _ int64) bool { return n > 0 })
	case "none":
		return compare(yes, yes, func(n, _ int64) bool { return n == 0 })
	case "one":
		return compare(yes, yes, func(n, _ int64) bool { return n == 1 })
	case "all":
		return compare(no, no, func(n, _ int64) bool { return n == 0 })
	case "len":
		return count(l, element, value, func(int) bool { return true })
	}
	return nil
}

// fold joins the values of all elements, one after the other; nth counts them.
func fold[T number](l list, element, value *column, f func(nth int64, sum, v T) T) *column {
	x, seen := newColumn(value.quantity), make([]int64, chunk)
	to, from := values[T](x), values[T](value)
	x.fill = func(b *Batch) {
		clear(to)
		clear(seen)
		l.each(b, element, value, func(i int) {
			to[i] = f(seen[i], to[i], from[i])
			seen[i]++
		})
	}
	return x
}

func count(l list, element, value *column, is func(i int) bool) *column {
	x := newColumn(whole)
	x.fill = func(b *Batch) {
		clear(x.ints)
		l.each(b, element, value, func(i int) {
			if is(i) {
				x.ints[i]++
			}
		})
	}
	return x
}

// call is one of our functions: prescale, and min and max, which the library knows in another way.
func (c *compiler) call(n *ast.CallNode) *column {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return nil
	}
	switch {
	case callee.Value == "prescale" && len(n.Arguments) == 1:
		i, ok := n.Arguments[0].(*ast.IntegerNode)
		if !ok {
			return nil
		}
		if i.Value < 1 {
			c.err = fmt.Errorf("prescale(%d): one in so many cannot be kept", i.Value)
		}
		x := newColumn(truth)
		x.fill = func(b *Batch) {
			for at := range b.places {
				x.truths[at] = b.Prescale(at, int64(i.Value))
			}
		}
		return x
	case (callee.Value == "min" || callee.Value == "max") && len(n.Arguments) == 1:
		return c.reduce(callee.Value, n.Arguments[0], nil)
	case (callee.Value == "min" || callee.Value == "max") && len(n.Arguments) == 2:
		return c.extreme(callee.Value == "max", n.Arguments)
	}
	return nil
}

// extreme is the smaller or larger of two numbers.
func (c *compiler) extreme(largest bool, of []ast.Node) *column {
	both := c.all(of...)
	if both == nil || both[0].quantity == truth || both[1].quantity == truth {
		return nil
	}
	a, b := both[0], both[1]
	if a.quantity == whole && b.quantity == whole {
		return mapNumbers(a, b, func(a, b int64) int64 { return extremeOf(largest, []int64{a, b}) })
	}
	return mapNumbers(asFloats(a), asFloats(b), func(a, b float64) float64 { return extremeOf(largest, []float64{a, b}) })
}

func (c *compiler) abs(n *ast.BuiltinNode) *column {
	if len(n.Arguments) != 1 {
		return nil
	}
	switch a := c.compile(n.Arguments[0]); {
	case a == nil || a.quantity == truth:
	case a.quantity == whole:
		return mapNumbers(a, a, absolute[int64])
	default:
		return mapNumbers(a, a, absolute[float64])
	}
	return nil
}

func absolute[T number](a, _ T) T {
	if a < 0 {
		return -a
	}
	return a
}
