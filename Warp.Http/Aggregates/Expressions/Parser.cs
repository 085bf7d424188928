using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>A Pratt parser for the subset of CEL's grammar; it builds the tree that is evaluated.</summary>
/// <remarks>Recursion is bounded by <see cref="FoldLimits.SourceDepth"/>, the tree's depth, which loops may add to, by <see
/// cref="FoldLimits.TreeDepth"/>.</remarks>
internal sealed partial class Parser(List<Token> tokens, Compilation compilation)
{
    private const int RelationBinding = 3;

    private readonly List<string> _variables = [];
    private int _at;
    private int _depth;

    private Token Current => tokens[_at];

    /// <exception cref="ExpressionSyntaxException">The tokens are no expression.</exception>
    public Node ParseWhole()
    {
        var node = ParseExpression();
        if (Current.Kind != TokenKind.End) throw Unexpected("an operator or the end");
        return node;
    }

    private Node ParseExpression()
    {
        Enter();
        var condition = ParseBinary(1);
        var sign = Current;
        if (!TryTake("?"))
        {
            _depth--;
            return condition;
        }

        var then = ParseExpression();
        Take(":", "':' between the two sides of '?'");
        var otherwise = ParseExpression();
        _depth--;
        return Checked(new ConditionalNode(sign, condition, then, otherwise), sign);
    }

    private Node ParseBinary(int bindingMin)
    {
        var left = ParseUnary();
        while (true)
        {
            var sign = Current;
            var binding = BindingOf(sign);
            if (binding < bindingMin) return left;
            _at++;
            left = Checked(Combine(sign, left, ParseBinary(binding + 1)), sign);
        }
    }

    /// <summary>How tightly a sign binds its operands; 0 for what is not between two operands.</summary>
    private static int BindingOf(in Token token) => token.Kind switch
    {
        TokenKind.Sign => token.Text switch
        {
            "||" => 1,
            "&&" => 2,
            "==" or "!=" or "<" or "<=" or ">" or ">=" => RelationBinding,
            "+" or "-" => 4,
            "*" or "/" or "%" => 5,
            _ => 0,
        },
        TokenKind.Name when string.Equals(token.Text, "in", StringComparison.Ordinal) => RelationBinding,
        _ => 0,
    };

    private static Node Combine(in Token sign, Node left, Node right) => sign.Text switch
    {
        "||" or "&&" => new LogicNode(sign, left, right),
        "==" => new EqualNode(sign, left, right, isNegated: false),
        "!=" => new EqualNode(sign, left, right, isNegated: true),
        "in" => new InNode(sign, left, right),
        "+" => new AddNode(sign, left, right),
        "-" => new SubtractNode(sign, left, right),
        "*" => new MultiplyNode(sign, left, right),
        "/" => new DivideNode(sign, left, right),
        "%" => new RemainderNode(sign, left, right),
        _ => new OrderNode(sign, left, right),
    };

    private Node ParseUnary()
    {
        var sign = Current;
        if (!sign.Is("!") && !sign.Is("-")) return ParsePostfix();
        Enter();
        _at++;
        var operand = ParseUnary();
        _depth--;
        if (sign.Is("!")) return Checked(new NotNode(sign, operand), sign);
        if (operand is LiteralNode { Value.IsNumber: true } literal)
            return new LiteralNode(sign, new JsonValue(literal.Value.Number.Negate()));
        return Checked(new NegateNode(sign, operand), sign);
    }

    private Node ParsePostfix()
    {
        var node = ParsePrimary();
        while (true)
        {
            var sign = Current;
            if (TryTake("."))
            {
                var name = TakeName("a member's name after '.'");
                node = TryTake("(") ? ParseMethod(name, node) : Member(name, node, name.Text);
            }
            else if (TryTake("["))
            {
                var index = ParseExpression();
                Take("]", "']' after the index");
                node = index is LiteralNode { Value.Kind: JsonKind.Text } literal
                    ? Member(sign, node, literal.Value.GetString())
                    : new IndexNode(sign, node, index);
            }
            else
            {
                return node;
            }

            Checked(node, sign);
        }
    }

    private Node ParsePrimary()
    {
        var token = Current;
        switch (token.Kind)
        {
            case TokenKind.Literal:
                _at++;
                return new LiteralNode(token, token.Value);
            case TokenKind.Name:
                _at++;
                return TryTake("(") ? ParseCall(token) : Root(token);
            case TokenKind.Sign when TryTake("("):
                var inner = ParseExpression();
                Take(")", "')'");
                return inner;
            case TokenKind.Sign when TryTake("["):
                return ParseList(token);
            case TokenKind.Sign when TryTake("{"):
                return ParseMap(token);
            default:
                throw Unexpected("a value");
        }
    }

    private ListNode ParseList(Token at)
    {
        var items = new List<Node>();
        while (!TryTake("]"))
        {
            items.Add(ParseExpression());
            if (!Current.Is("]")) Take(",", "',' or ']' in the list");
        }

        return Checked(new ListNode(at, [.. items]), at);
    }

    private MapNode ParseMap(Token at)
    {
        var names = new List<Node>();
        var values = new List<Node>();
        while (!TryTake("}"))
        {
            names.Add(ParseExpression());
            Take(":", "':' after a member's name");
            values.Add(ParseExpression());
            if (!Current.Is("}")) Take(",", "',' or '}' in the map");
        }

        return Checked(new MapNode(at, [.. names], [.. values]), at);
    }
}
