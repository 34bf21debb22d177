"""Read policies: JSON text to a typed tree, refusing what the language does not allow, with the JSON path.

parser       a policy definition to the tree of `tree`
expression   template expressions; operand: literals, expressions and lists of them
expression_text  expressions as people write them, made again from their trees
traversal    walks over rules and operands
comparison   the condition operators
parameter    declarations and values of parameters; schema: the JSON schemas of object parameters
assignment   assignments; form: the keys of what people write around rules
"""
