//! A module's parameters by name.

use std::collections::BTreeMap;

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Tensor, TensorData};

use crate::{compare, layout};

/// Tensors by the name of their field, in a module of modules by the names on the way, as
/// `layers.0.gates`.
pub type Named = BTreeMap<String, TensorData>;

/// The fields that a visitor has entered.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, field: &str) {
        self.0.push(field.to_string());
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        self.0.join(".")
    }
}

/// The parameters of a module, in `f64`.
pub fn named<B: Backend, M: Module<B>>(module: &M) -> Named {
    struct Visitor {
        path: Path,
        found: Named,
    }
    impl<B: Backend> ModuleVisitor<B> for Visitor {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.found
                .insert(self.path.name(), compare::values(param.val()));
        }
    }
    let mut visitor = Visitor {
        path: Path::default(),
        found: Named::new(),
    };
    module.visit(&mut visitor);
    visitor.found
}

/// The gradients of a module's parameters, of those that have one.
pub fn gradients<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: &B::Gradients,
) -> Named {
    struct Visitor<'a, B: AutodiffBackend> {
        path: Path,
        gradients: &'a B::Gradients,
        found: Named,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Visitor<'_, B> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(gradient) = param.val().grad(self.gradients) {
                self.found
                    .insert(self.path.name(), compare::values(gradient));
            }
        }
    }
    let mut visitor = Visitor {
        path: Path::default(),
        gradients,
        found: Named::new(),
    };
    module.visit(&mut visitor);
    visitor.found
}

/// The module with every parameter replaced, in elements of type `dtype`.
///
/// # Panics
///
/// If `values` lacks a parameter, has one that the module has not, or one of another shape.
pub fn replaced<B: Backend, M: Module<B>>(module: M, values: &Named, dtype: DType) -> M {
    struct Mapper<'a> {
        path: Path,
        values: &'a Named,
        dtype: DType,
        replaced: usize,
    }
    impl<B: Backend> ModuleMapper<B> for Mapper<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let field = self.path.name();
            let Some(values) = self.values.get(&field) else {
                panic!("no value for {field}")
            };
            let old = param.val();
            assert_eq!(
                old.dims().to_vec(),
                values.shape.to_vec(),
                "shape of {field}"
            );
            self.replaced += 1;
            let tensor = Tensor::from_data(values.clone(), (&old.device(), self.dtype));
            Param::initialized(param.id, tensor.require_grad())
        }
    }
    let mut mapper = Mapper {
        path: Path::default(),
        values,
        dtype,
        replaced: 0,
    };
    let module = module.map(&mut mapper);
    assert_eq!(
        mapper.replaced,
        values.len(),
        "parameters replaced (left) of {:?}",
        values.keys()
    );
    module
}

/// The module with gradients for those parameters alone that `trains` names.
pub fn trainable<B: Backend, M: Module<B>>(module: M, trains: impl Fn(&str) -> bool) -> M {
    struct Mapper<F> {
        path: Path,
        trains: F,
    }
    impl<B: Backend, F: Fn(&str) -> bool> ModuleMapper<B> for Mapper<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.set_require_grad((self.trains)(&self.path.name()))
        }
    }
    module.map(&mut Mapper {
        path: Path::default(),
        trains,
    })
}

/// The module with the same parameters in [`permuted`](layout::permuted) memory.
pub fn permuted<B: Backend, M: Module<B>>(module: M) -> M {
    struct Mapper;
    impl<B: Backend> ModuleMapper<B> for Mapper {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let tensor = layout::permuted(param.val());
            Param::initialized(param.id, tensor.require_grad())
        }
    }
    module.map(&mut Mapper)
}
