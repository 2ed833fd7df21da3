"""What happens in one step on Redis: one Lua script an operation, `shared.lua` in all of them."""
