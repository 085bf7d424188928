namespace Warp.Http.Tests.Endpoints;

/// <summary>Transfers between accounts, as clients send them.</summary>
internal static class SagaBodies
{
    public const string Account = """
        {"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"},"Debited":{"balance":"state.balance - payload.amount"}},
         "invariants":[{"rule":"state.balance >= 0","message":"insufficient funds"},{"rule":"!has(state.closed)","message":"closed"}]}
        """;

    public static string Transfer(string from, string to, int amount) => Saga(Debit(from, amount), Credit(to, amount));

    public static string Saga(params string[] steps) => $$"""{"steps":[{{string.Join(',', steps)}}]}""";

    public static string Debit(string entity, int amount) => Step(entity, "Debited", "Credited", amount);

    /// <summary>What is bought is not given back.</summary>
    public static string Spend(string entity, int amount) => Step(entity, "Debited", "Noted", amount);

    public static string Credit(string entity, int amount) => Step(entity, "Credited", "Debited", amount);

    public static string Step(string entity, string action, string compensation, int amount) =>
        $$"""{"entity":"{{entity}}","aggregate":"Account","action":{{Event(action, amount)}},"compensation":{{Event(compensation, amount)}} }""";

    public static string Event(string type, int amount) => $$"""{"type":"{{type}}","payload":{"amount":{{amount}}} }""";
}
