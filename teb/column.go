package teb

import (
	"fmt"

	"github.com/expr-lang/expr/ast"
)

// column is a part of an expression, computed for many events at once: one of the three lists holds its values.
type column struct {
	quantity quantity
	truths   []bool
	ints     []int64
	floats   []float64
	fill     func(b *Batch) // nil for what does not change
	needs    []*column      // computed before
}

// newColumn makes a column that is filled from others.
func newColumn(q quantity, needs ...*column) *column {
	c := &column{quantity: q, needs: needs}
	switch q {
	case truth:
		c.truths = make([]bool, chunk)
	case whole:
		c.ints = make([]int64, chunk)
	case fraction:
		c.floats = make([]float64, chunk)
	}
	return c
}

// compute fills the column for a batch of at most chunk events, and before it what it needs.
func (c *column) compute(b *Batch) {
	for _, n := range c.needs {
		n.compute(b)
	}
	if c.fill != nil {
		c.fill(b)
	}
}

// compiler makes columns of the syntax tree of an expression that the library has checked. It gives nil for what it does
// not know, which the library computes then.
type compiler struct {
	schemas  []*Schema
	elements []*column // what # is, the innermost last
	names    map[string]*column
	err      error // the expression cannot be right
}

func (c *compiler) compile(node ast.Node) *column {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return constant(whole, float64(n.Value), int64(n.Value))
	case *ast.FloatNode:
		return constant(fraction, n.Value, 0)
	case *ast.BoolNode:
		if n.Value {
			return constant(truth, 1, 1)
		}
		return constant(truth, 0, 0)
	case *ast.IdentifierNode:
		return c.identifier(n.Value)
	case *ast.PointerNode:
		if n.Name == "" && len(c.elements) > 0 {
			return c.elements[len(c.elements)-1]
		}
	case *ast.PredicateNode:
		return c.compile(n.Node)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.VariableDeclaratorNode:
		return c.declare(n)
	case *ast.BuiltinNode:
		return c.builtin(n)
	case *ast.CallNode:
		return c.call(n)
	}
	return nil
}

// all compiles several nodes, or gives nil.
func (c *compiler) all(nodes ...ast.Node) (columns []*column) {
	for _, n := range nodes {
		x := c.compile(n)
		if x == nil {
			return nil
		}
		columns = append(columns, x)
	}
	return columns
}

func constant(q quantity, f float64, i int64) *column {
	c := newColumn(q)
	for at := range c.truths {
		c.truths[at] = i != 0
	}
	for at := range c.ints {
		c.ints[at] = i
	}
	for at := range c.floats {
		c.floats[at] = f
	}
	return c
}

func (c *compiler) identifier(name string) *column {
	if x, ok := c.names[name]; ok {
		return x
	}
	for _, known := range scalars {
		if name == known {
			x := newColumn(whole)
			x.fill = func(b *Batch) {
				for i := range b.places {
					x.ints[i] = b.scalar(name, i)
				}
			}
			return x
		}
	}
	return nil
}

// declare is let name = value; rest.
func (c *compiler) declare(n *ast.VariableDeclaratorNode) *column {
	value := c.compile(n.Value)
	if value == nil {
		return nil
	}
	if c.names == nil {
		c.names = map[string]*column{}
	}
	c.names[n.Name] = value // the library lets no name be taken twice
	defer delete(c.names, n.Name)
	return c.compile(n.Expr)
}

// member is contributor.field, or contributor.field[3].
func (c *compiler) member(n *ast.MemberNode) *column {
	if index, ok := n.Property.(*ast.IntegerNode); ok {
		s, ok := c.array(n.Node)
		if !ok {
			return nil
		}
		if index.Value >= s.field.Len {
			c.err = fmt.Errorf("%s has no value %d", s.field, index.Value)
			return nil
		}
		return s.column(index.Value)
	}
	k, name := c.named(n)
	if k < 0 {
		return nil
	}
	switch f := c.schemas[k].Field(name); {
	case name == "present":
		x := newColumn(truth)
		x.fill = func(b *Batch) {
			for i := range b.places {
				x.truths[i] = b.event(i).have>>k&1 != 0
			}
		}
		return x
	case name == "damage":
		x := newColumn(whole)
		x.fill = func(b *Batch) {
			for i := range b.places {
				if x.ints[i] = 0; b.event(i).have>>k&1 != 0 {
					x.ints[i] = int64(HeadOf(b.row(i, k)).Damage)
				}
			}
		}
		return x
	case f != nil && f.Len == 0:
		return source{k, f}.column(0)
	}
	return nil
}

// named takes contributor.name apart; the place is negative when it is something else.
func (c *compiler) named(node ast.Node) (k int, name string) {
	n, ok := node.(*ast.MemberNode)
	if !ok || n.Method || n.Optional {
		return -1, ""
	}
	who, ok := n.Node.(*ast.IdentifierNode)
	what, ok2 := n.Property.(*ast.StringNode)
	if !ok || !ok2 || c.names[who.Value] != nil {
		return -1, ""
	}
	for k, s := range c.schemas {
		if s.name == who.Value {
			return k, what.Value
		}
	}
	return -1, what.Value
}

// array is a field of several values.
func (c *compiler) array(node ast.Node) (source, bool) {
	k, name := c.named(node)
	if k < 0 {
		return source{}, false
	}
	f := c.schemas[k].Field(name)
	return source{k, f}, f != nil && f.Len > 0
}

// column reads value j of a field; what is missing is 0 or false.
func (s source) column(j int) *column {
	x := newColumn(s.field.Type.quantity())
	x.fill = func(b *Batch) { s.read(b, j, x) }
	return x
}

// read puts value j of a field into a column, as what that computes with.
func (s source) read(b *Batch, j int, x *column) {
	c := &b.builder.contributors[s.contributor]
	size := c.schema.rowBytes
	for i, place := range b.places {
		row := c.rows[int(place)*size:][:size]
		here := b.builder.events[place].have>>s.contributor&1 != 0
		switch {
		case x.quantity == truth:
			x.truths[i] = here && s.field.Int(row, j) != 0
		case x.quantity == whole && here:
			x.ints[i] = s.field.Int(row, j)
		case x.quantity == whole:
			x.ints[i] = 0
		case here:
			x.floats[i] = s.field.Float(row, j)
		default:
			x.floats[i] = 0
		}
	}
}

// asFloats makes a column of reals of whole numbers.
func asFloats(c *column) *column {
	if c.quantity != whole {
		return c
	}
	x := newColumn(fraction, c)
	x.fill = func(b *Batch) {
		for i, v := range c.ints[:b.Len()] {
			x.floats[i] = float64(v)
		}
	}
	return x
}
