namespace Warp.Http.Aggregates.Values;

/// <summary>JSON Merge Patch, <see href="https://www.rfc-editor.org/rfc/rfc7396">RFC 7396</see>, section 2 to the letter.</summary>
public static class MergePatch
{
    /// <summary>
    /// The target with the patch applied: members of an object are merged, <c>null</c> removes one, anything else replaces what was there.
    /// Maps that are <paramref name="owner"/>'s are changed in place, others are copied first.
    /// </summary>
    /// <remarks>Recursion is bounded by the patch's depth.</remarks>
    public static JsonValue Apply(in JsonValue target, in JsonValue patch, object owner)
    {
        if (patch.Kind != JsonKind.Map) return patch;
        var map = target.Kind == JsonKind.Map ? target.Map.Own(owner) : new JsonMap(owner, patch.Map.Count);
        foreach (ref readonly var member in patch.Map)
        {
            if (member.Value.Kind == JsonKind.Null) map.Remove(member.Name);
            else if (member.Value.Kind == JsonKind.Map) ApplyMember(map, member, owner);
            else map.Set(member.Name, member.Value);
        }

        return JsonValue.Of(map);
    }

    private static void ApplyMember(JsonMap map, in JsonMap.Member member, object owner)
    {
        var before = map.Get(member.Name.AsSpan());
        if (before.Kind != JsonKind.Map)
        {
            map.Set(member.Name, Apply(before, member.Value, owner));
            return;
        }

        // The child may be changed in place under its parent, whose weight and depth then have to follow.
        var (weight, depth) = (before.Map.Weight, before.KnownDepth);
        var after = Apply(before, member.Value, owner);
        map.SetChanged(member.Name, after, after.Weight - weight, depth);
    }
}
