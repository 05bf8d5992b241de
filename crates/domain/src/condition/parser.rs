//! Tokens to tree, by recursive descent.
//!
//! ```text
//! condition  = expression End
//! expression = clause { AND clause } | clause { OR clause }      mixing both needs parentheses
//! clause     = ( NOT | ! ) clause | ( expression ) | function | comparison
//! function   = ActionMatches { text } | SubOperationMatches { text } | Exists attribute
//! comparison = operand operator operand
//! operand    = attribute | literal | { literal, ... }
//! ```
//!
//! The recursion is bounded by [`MAXIMUM_DEPTH`], and with it that of everything that walks the tree. Types
//! are `check`'s matter.

use super::{
    ast::{Attribute, Comparison, Expression},
    check::{self, ParsedOperand, WrittenLiteral},
    error::ConditionError,
    lexer::{Lexer, Spanned, Token},
    literal,
    operator::Operator,
};

pub(super) fn parse(text: &str) -> Result<Expression, ConditionError> {
    if text.len() > MAXIMUM_BYTES {
        let message =
            format!("the condition is {} bytes long, at most {MAXIMUM_BYTES} are allowed", text.len());
        return Err(ConditionError::at(text, MAXIMUM_BYTES, message));
    }
    let mut lexer = Lexer::new(text);
    let ahead = lexer.next()?;
    let mut parser = Parser { lexer, ahead };
    let expression = parser.expression(0)?;
    match parser.ahead.token {
        Token::End => Ok(expression),
        _ => Err(parser.expected("AND, OR or the end of the condition")),
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    ahead: Spanned<'t>,
}

impl<'t> Parser<'t> {
    fn expression(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        let first = self.clause(depth)?;
        let connective = self.ahead.token;
        let (wrap, other): (fn(Vec<Expression>) -> Expression, _) = match connective {
            Token::And => (Expression::And, Token::Or),
            Token::Or => (Expression::Or, Token::And),
            _ => return Ok(first),
        };
        let mut clauses = vec![first];
        while self.ahead.token == connective {
            self.advance()?;
            clauses.push(self.clause(depth)?);
        }
        if self.ahead.token == other {
            let message = "AND and OR stand side by side, parentheses must say which of them comes first";
            return Err(self.error(message.to_owned()));
        }
        Ok(wrap(clauses))
    }

    fn clause(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        match self.ahead.token {
            Token::Not => {
                let depth = self.deeper(depth)?;
                self.advance()?;
                // `!(` is one level, so that the printed form of a tree is never deeper than its source.
                let negated = match self.ahead.token {
                    Token::Open => self.group(depth)?,
                    _ => self.clause(depth)?,
                };
                Ok(Expression::Not(Box::new(negated)))
            }
            Token::Open => {
                let depth = self.deeper(depth)?;
                self.group(depth)
            }
            Token::Word(word) if word.eq_ignore_ascii_case("ActionMatches") => {
                self.matches(Expression::ActionMatches, "an action pattern")
            }
            Token::Word(word) if word.eq_ignore_ascii_case("SubOperationMatches") => {
                self.matches(Expression::SubOperationMatches, "a sub-operation")
            }
            Token::Word(word) if word.eq_ignore_ascii_case("Exists") => {
                self.advance()?;
                let Token::Attribute(source, name) = self.ahead.token else {
                    return Err(self.expected("an attribute such as @Request[name] after Exists"));
                };
                self.advance()?;
                Ok(Expression::Exists(Attribute { source, name: name.to_owned() }))
            }
            _ => self.comparison(),
        }
    }

    /// An expression in parentheses; the opening one is ahead.
    fn group(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        self.advance()?;
        let expression = self.expression(depth)?;
        match self.ahead.token {
            Token::Close => self.advance()?,
            _ => return Err(self.expected("AND, OR or \")\"")),
        }
        Ok(expression)
    }

    /// `ActionMatches{'pattern'}`; the function's name is ahead.
    fn matches(
        &mut self,
        function: fn(String) -> Expression,
        what: &str,
    ) -> Result<Expression, ConditionError> {
        self.advance()?;
        self.take(Token::OpenBrace)?;
        let Token::Text(pattern) = self.ahead.token else {
            return Err(self.expected(&format!("{what} between single quotes")));
        };
        if pattern.is_empty() {
            return Err(self.expected(&format!("{what} between the quotes")));
        }
        self.advance()?;
        self.take(Token::CloseBrace)?;
        Ok(function(literal::unescape(pattern)))
    }

    fn comparison(&mut self) -> Result<Expression, ConditionError> {
        let left = self.operand(
            "an expression: an attribute such as @Request[name], ActionMatches, SubOperationMatches or Exists",
        )?;
        let Token::Word(word) = self.ahead.token else {
            return Err(self.expected("an operator such as StringEquals"));
        };
        let Some(operator) = Operator::parse(word) else {
            return Err(self.expected("an operator such as StringEquals or ForAnyOfAnyValues:StringEquals"));
        };
        let position = self.ahead.position;
        self.advance()?;
        let right = self.operand("a value or an attribute to compare with")?;
        let comparison: Comparison = check::comparison(left, (operator, position), right)
            .map_err(|wrong| self.lexer.error(wrong.position, wrong.message))?;
        Ok(Expression::Comparison(Box::new(comparison)))
    }

    fn operand(&mut self, expected: &str) -> Result<ParsedOperand<'t>, ConditionError> {
        let position = self.ahead.position;
        match self.ahead.token {
            Token::Attribute(source, name) => {
                self.advance()?;
                Ok(ParsedOperand::Attribute(Attribute { source, name: name.to_owned() }))
            }
            Token::OpenBrace => {
                self.advance()?;
                let mut literals = vec![self.literal("a value")?];
                while self.ahead.token == Token::Comma {
                    self.advance()?;
                    literals.push(self.literal("a value after the comma")?);
                }
                match self.ahead.token {
                    Token::CloseBrace => self.advance()?,
                    _ => return Err(self.expected("\",\" or \"}\"")),
                }
                Ok(ParsedOperand::Set(literals, position))
            }
            _ => Ok(ParsedOperand::Literal(self.literal(expected)?)),
        }
    }

    fn literal(&mut self, expected: &str) -> Result<WrittenLiteral<'t>, ConditionError> {
        let Spanned { token, position } = self.ahead;
        let literal = match token {
            Token::Text(raw) => WrittenLiteral::Text { raw, position },
            Token::Word(word) if check::is_literal(word) => WrittenLiteral::Word { word, position },
            _ => return Err(self.expected(expected)),
        };
        self.advance()?;
        Ok(literal)
    }

    fn take(&mut self, token: Token<'_>) -> Result<(), ConditionError> {
        if self.ahead.token == token { self.advance() } else { Err(self.expected(&token.to_string())) }
    }

    fn advance(&mut self) -> Result<(), ConditionError> {
        self.ahead = self.lexer.next()?;
        Ok(())
    }

    fn deeper(&self, depth: usize) -> Result<usize, ConditionError> {
        if depth < MAXIMUM_DEPTH {
            return Ok(depth + 1);
        }
        Err(self.error(format!("expressions are nested more than {MAXIMUM_DEPTH} deep here")))
    }

    fn expected(&self, what: &str) -> ConditionError {
        self.error(format!("expected {what}, found {}", self.ahead.token))
    }

    fn error(&self, message: String) -> ConditionError {
        self.lexer.error(self.ahead.position, message)
    }
}

/// Azure's limit: 8 KB ("FAQ for Azure role assignment conditions").
pub(super) const MAXIMUM_BYTES: usize = 8192;

/// Parentheses and negations within each other. Microsoft names no limit; real conditions have about five.
pub(super) const MAXIMUM_DEPTH: usize = 64;
