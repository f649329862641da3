/*
 * The part of WebAssembly that we use, for the compiler. TypeScript describes it only in its libraries for browsers,
 * which would also declare `window` and the rest; Node's own types leave it out.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: ArrayBufferView | ArrayBuffer);
  }
  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
  class Memory {
    constructor(size: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Global<Value = number> {
    constructor(kind: { value: 'i32' | 'i64' | 'f32' | 'f64'; mutable?: boolean }, value?: Value);
    value: Value;
  }
  class RuntimeError extends Error {}
  class CompileError extends Error {}
}
