using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Finds the entity that a read names, or says why there is none.</summary>
internal sealed class EntityLookup(EntityRegistry registry, Limits limits)
{
    public async ValueTask<(EntityActor? Actor, Problem? Problem)> FindAsync(HttpContext context)
    {
        if (ReadName(context, out var problem) is not { } name) return (null, problem);
        return await FindAsync(name, context.RequestAborted);
    }

    public async ValueTask<(EntityActor? Actor, Problem? Problem)> FindAsync(byte[] name, CancellationToken cancellation)
    {
        // Nothing is ever written to a reserved kind, so there is nothing to find either.
        if (EntityName.IsReserved(name)) return (null, Problems.EntityNotFound());
        if (registry.TryGetLive(name, out var live)) return (live, null);
        var found = await registry.FindAsync(name, cancellation);
        return found.Presence switch
        {
            EntityPresence.Alive => (found.Actor, null),
            EntityPresence.Erased => (null, Problems.EntityErased(found.Erasure)),
            _ => (null, Problems.EntityNotFound()),
        };
    }

    /// <summary>The problem of an entity that was found a moment ago and is erased by now.</summary>
    public Problem WhyGone(ReadOnlySpan<byte> name) => Problems.EntityErased(registry.FindErasure(name));

    /// <summary>The name in the path as <c>kind/id</c>; null with the problem.</summary>
    public byte[]? ReadName(HttpContext context, out Problem? problem)
    {
        Span<byte> name = stackalloc byte[RequestTarget.NameBytesMax(limits)];
        problem = RequestTarget.ReadEntity(context, limits, name, out var length, out _);
        return problem is null ? name[..length].ToArray() : null;
    }
}
