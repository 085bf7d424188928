namespace Warp.Http.Storage;

/// <summary>The three operations that the lock-free queues are made of, as a seam: tests step through every interleaving of the real code.</summary>
internal interface IAtomics
{
    static abstract object? Read(ref object? word);

    static abstract object? CompareExchange(ref object? word, object? value, object? comparand);

    static abstract object? Exchange(ref object? word, object? value);
}

/// <summary>The processor's own; the JIT inlines them.</summary>
internal readonly struct HardwareAtomics : IAtomics
{
    public static object? Read(ref object? word) => Volatile.Read(ref word);

    public static object? CompareExchange(ref object? word, object? value, object? comparand) => Interlocked.CompareExchange(ref word, value, comparand);

    public static object? Exchange(ref object? word, object? value) => Interlocked.Exchange(ref word, value);
}
