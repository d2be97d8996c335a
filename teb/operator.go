package teb

import "github.com/expr-lang/expr/ast"

type number interface{ int64 | float64 }

// values are the list of a column that holds numbers of one kind.
func values[T number](c *column) []T {
	if v, ok := any(&c.ints).(*[]T); ok {
		return *v
	}
	return *any(&c.floats).(*[]T)
}

func (c *compiler) unary(n *ast.UnaryNode) *column {
	a := c.compile(n.Node)
	switch {
	case a == nil:
	case (n.Operator == "not" || n.Operator == "!") && a.quantity == truth:
		return mapTruths(a, a, func(a, _ bool) bool { return !a })
	case n.Operator == "+" && a.quantity != truth:
		return a
	case n.Operator == "-" && a.quantity == whole:
		return mapNumbers(a, a, func(a, _ int64) int64 { return -a })
	case n.Operator == "-" && a.quantity == fraction:
		return mapNumbers(a, a, func(a, _ float64) float64 { return -a })
	}
	return nil
}

func (c *compiler) binary(n *ast.BinaryNode) *column {
	both := c.all(n.Left, n.Right)
	if both == nil {
		return nil
	}
	a, b := both[0], both[1]
	switch {
	case a.quantity == truth && b.quantity == truth:
		return truths(n.Operator, a, b)
	case a.quantity == truth || b.quantity == truth:
		return nil
	case n.Operator == "%":
		return modulo(a, b, n.Right)
	case a.quantity == whole && b.quantity == whole && n.Operator != "/":
		return numbers[int64](n.Operator, a, b)
	}
	if n.Operator == "/" {
		return mapNumbers(asFloats(a), asFloats(b), func(a, b float64) float64 { return a / b })
	}
	return numbers[float64](n.Operator, asFloats(a), asFloats(b))
}

// modulo is computed here when it is known that nothing is divided by 0.
func modulo(a, b *column, by ast.Node) *column {
	if i, ok := by.(*ast.IntegerNode); !ok || i.Value == 0 || a.quantity != whole {
		return nil
	}
	return mapNumbers(a, b, func(a, b int64) int64 { return a % b })
}

func truths(operator string, a, b *column) *column {
	switch operator {
	case "&&", "and":
		return mapTruths(a, b, func(a, b bool) bool { return a && b })
	case "||", "or":
		return mapTruths(a, b, func(a, b bool) bool { return a || b })
	case "==":
		return mapTruths(a, b, func(a, b bool) bool { return a == b })
	case "!=":
		return mapTruths(a, b, func(a, b bool) bool { return a != b })
	}
	return nil
}

func numbers[T number](operator string, a, b *column) *column {
	switch operator {
	case "+":
		return mapNumbers(a, b, func(a, b T) T { return a + b })
	case "-":
		return mapNumbers(a, b, func(a, b T) T { return a - b })
	case "*":
		return mapNumbers(a, b, func(a, b T) T { return a * b })
	case "<":
		return compare(a, b, func(a, b T) bool { return a < b })
	case "<=":
		return compare(a, b, func(a, b T) bool { return a <= b })
	case ">":
		return compare(a, b, func(a, b T) bool { return a > b })
	case ">=":
		return compare(a, b, func(a, b T) bool { return a >= b })
	case "==":
		return compare(a, b, func(a, b T) bool { return a == b })
	case "!=":
		return compare(a, b, func(a, b T) bool { return a != b })
	}
	return nil
}

func mapTruths(a, b *column, f func(a, b bool) bool) *column {
	x := newColumn(truth, a, b)
	x.fill = func(batch *Batch) {
		for i := range batch.places {
			x.truths[i] = f(a.truths[i], b.truths[i])
		}
	}
	return x
}

func mapNumbers[T number](a, b *column, f func(a, b T) T) *column {
	x := newColumn(a.quantity, a, b)
	to, left, right := values[T](x), values[T](a), values[T](b)
	x.fill = func(batch *Batch) {
		for i := range batch.places {
			to[i] = f(left[i], right[i])
		}
	}
	return x
}

func compare[T number](a, b *column, f func(a, b T) bool) *column {
	x := newColumn(truth, a, b)
	left, right := values[T](a), values[T](b)
	x.fill = func(batch *Batch) {
		for i := range batch.places {
			x.truths[i] = f(left[i], right[i])
		}
	}
	return x
}

// conditional is a ? b : c, of two of the same kind.
func (c *compiler) conditional(n *ast.ConditionalNode) *column {
	all := c.all(n.Cond, n.Exp1, n.Exp2)
	if all == nil || all[0].quantity != truth || all[1].quantity != all[2].quantity {
		return nil
	}
	x := newColumn(all[1].quantity, all...)
	x.fill = func(b *Batch) {
		for i := range b.places {
			x.copy(i, all[2])
			if all[0].truths[i] {
				x.copy(i, all[1])
			}
		}
	}
	return x
}

// copy takes value i of another column of the same kind.
func (c *column) copy(i int, from *column) {
	switch c.quantity {
	case truth:
		c.truths[i] = from.truths[i]
	case whole:
		c.ints[i] = from.ints[i]
	case fraction:
		c.floats[i] = from.floats[i]
	}
}
