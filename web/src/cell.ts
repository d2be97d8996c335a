import { useEffect, useState } from "preact/hooks";

// A Cell holds a value and tells those who listen when it becomes another. Pictures come ten times a second: only what shows a
// cell is drawn again, not the page.
export class Cell<T> {
  private current: T;
  private readonly listeners = new Set<(value: T) => void>();

  constructor(first: T) {
    this.current = first;
  }

  get value(): T {
    return this.current;
  }

  set(value: T): void {
    if (Object.is(value, this.current)) return;
    this.current = value;
    for (const listener of [...this.listeners]) listener(value);
  }

  // listen returns what ends it.
  listen(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

// useCell draws a component again whenever a cell changes.
export function useCell<T>(cell: Cell<T>): T {
  const [value, setValue] = useState(() => cell.value);
  useEffect(() => {
    setValue(() => cell.value); // it may have changed before this was listened to
    return cell.listen((next) => setValue(() => next));
  }, [cell]);
  return value;
}
